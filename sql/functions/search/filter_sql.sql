-- Returns a metadata filter as SQL, to append to a WHERE: every key and every value is a quoted literal, never an
-- identifier or a piece of SQL. Empty without a filter.
-- A comparison holds only between values of the same JSON type: the string "10" is not above the number 9.
-- Arguments:
--   filter      an object that the metadata must contain
--   conditions  an array of {"key", "op", "value"}; see pgvec.condition_sql
-- Limits: 100 conditions; 10,000 values of one "in"; 32 levels of objects and arrays in filter or in a value; 1,000,000
-- bytes of JSON text.
-- Raises: PV007 (not a filter, or beyond a limit: DETAIL has what, given and most).
CREATE OR REPLACE FUNCTION pgvec.filter_sql(filter jsonb, conditions jsonb DEFAULT NULL)
RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    condition jsonb;
    parts text[] := '{}';
BEGIN
    IF filter IS NOT NULL AND filter <> '{}' THEN
        IF jsonb_typeof(filter) <> 'object' THEN
            PERFORM pgvec.raise_error('PV007', 'filter must be a JSON object that the metadata contains.',
                                      jsonb_build_object('filter', jsonb_typeof(filter)));
        END IF;
        PERFORM pgvec.limit_filter('filter', filter);
        parts := parts || format(' AND metadata @> %L::jsonb', filter);
    END IF;
    IF conditions IS NULL THEN
        RETURN array_to_string(parts, '');
    END IF;
    IF jsonb_typeof(conditions) <> 'array' THEN
        PERFORM pgvec.raise_error('PV007', 'conditions must be a JSON array of {"key", "op", "value"}.',
                                  jsonb_build_object('conditions', jsonb_typeof(conditions)));
    END IF;
    PERFORM pgvec.limit_filter('conditions', conditions);
    FOR condition IN SELECT e FROM jsonb_array_elements(conditions) e LOOP
        parts := parts || (' AND ' || pgvec.condition_sql(condition));
    END LOOP;
    RETURN array_to_string(parts, '');
END
$$;
