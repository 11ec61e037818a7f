-- The WHERE conditions of a metadata filter, as text: every key and every value is a quoted literal, never
-- an identifier or a piece of SQL. Empty without a filter. Raises PV007 for what is not a filter, and for one beyond
-- what is taken (DETAIL has what, given and most): 100 conditions; 10,000 values of one "in"; 32 levels of objects
-- and arrays in filter or in a value; 1,000,000 bytes of JSON text.
-- A comparison holds only between values of the same JSON type: the string "10" is not above the number 9.
CREATE OR REPLACE FUNCTION pgvec.filter_sql(filter jsonb, conditions jsonb DEFAULT NULL)
RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c jsonb;
    key text;
    op text;
    value jsonb;
    parts text[] := '{}';
BEGIN
    IF filter IS NOT NULL AND filter <> '{}' THEN
        IF jsonb_typeof(filter) <> 'object' THEN
            PERFORM pgvec.raise_error('PV007', 'filter must be a JSON object that the metadata contains.', jsonb_build_object('filter', jsonb_typeof(filter)));
        END IF;
        PERFORM pgvec.limit_filter('filter', filter);
        parts := parts || format(' AND metadata @> %L::jsonb', filter);
    END IF;
    IF conditions IS NULL THEN
        RETURN array_to_string(parts, '');
    END IF;
    IF jsonb_typeof(conditions) <> 'array' THEN
        PERFORM pgvec.raise_error('PV007', 'conditions must be a JSON array of {"key", "op", "value"}.', jsonb_build_object('conditions', jsonb_typeof(conditions)));
    END IF;
    PERFORM pgvec.limit_filter('conditions', conditions);
    FOR c IN SELECT e FROM jsonb_array_elements(conditions) e LOOP
        key := c ->> 'key';
        op := c ->> 'op';
        value := c -> 'value';
        IF jsonb_typeof(c) <> 'object' OR jsonb_typeof(c -> 'key') IS DISTINCT FROM 'string' OR op IS NULL OR op NOT IN ('=', '<>', '<', '<=', '>', '>=', 'in', 'exists') THEN
            PERFORM pgvec.raise_error('PV007', 'a condition is {"key": text, "op": one of = <> < <= > >= in exists, "value": …}.', jsonb_build_object('condition', c));
        END IF;
        IF op = 'exists' THEN
            IF jsonb_typeof(value) NOT IN ('boolean', 'null') THEN
                PERFORM pgvec.raise_error('PV007', 'the value of "exists" must be true or false.', jsonb_build_object('condition', c));
            END IF;
            parts := parts || format(' AND %smetadata ? %L', CASE WHEN value = 'false' THEN 'NOT ' ELSE '' END, key);
        ELSIF op = 'in' THEN
            IF jsonb_typeof(value) IS DISTINCT FROM 'array' THEN
                PERFORM pgvec.raise_error('PV007', 'the value of "in" must be an array.', jsonb_build_object('condition', c));
            END IF;
            IF jsonb_array_length(value) BETWEEN 1 AND 20 AND NOT EXISTS (SELECT FROM jsonb_array_elements(value) e WHERE jsonb_typeof(e) IN ('array', 'object')) THEN
                parts := parts || (SELECT ' AND (' || string_agg(format('metadata @> %L::jsonb', jsonb_build_object(key, e)), ' OR ') || ')' FROM jsonb_array_elements(value) e);
            ELSE
                parts := parts || format(' AND metadata -> %L IN (SELECT e FROM pg_catalog.jsonb_array_elements(%L::jsonb) e)', key, value);
            END IF;
        ELSIF value IS NULL THEN
            PERFORM pgvec.raise_error('PV007', format('the condition on %s has no value.', quote_literal(key)), jsonb_build_object('condition', c));
        ELSIF op = '=' AND jsonb_typeof(value) NOT IN ('array', 'object') THEN
            -- Containment means the same for a scalar under a key, and the planner knows from statistics how often it
            -- holds; of the other form it always thinks that it is rare, and ranks exactly.
            parts := parts || format(' AND metadata @> %L::jsonb', jsonb_build_object(key, value));
        ELSIF op IN ('=', '<>') THEN
            parts := parts || format(' AND metadata -> %L %s %L::jsonb', key, op, value);
        ELSE
            parts := parts || format(' AND pg_catalog.jsonb_typeof(metadata -> %1$L) = pg_catalog.jsonb_typeof(%3$L::jsonb) AND metadata -> %1$L %2$s %3$L::jsonb', key, op, value);
        END IF;
    END LOOP;
    RETURN array_to_string(parts, '');
END
$$;
