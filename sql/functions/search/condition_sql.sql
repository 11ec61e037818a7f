-- Returns one condition of a filter as SQL, for pgvec.filter_sql: key and value are quoted literals, never identifiers
-- or pieces of SQL.
-- Raises: PV007 (not a condition).
CREATE OR REPLACE FUNCTION pgvec.condition_sql(condition jsonb)
RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key CONSTANT text := condition ->> 'key';
    op CONSTANT text := condition ->> 'op';
    value CONSTANT jsonb := condition -> 'value';
    detail CONSTANT jsonb := jsonb_build_object('condition', condition);
BEGIN
    IF jsonb_typeof(condition) <> 'object' OR jsonb_typeof(condition -> 'key') IS DISTINCT FROM 'string'
       OR op IS NULL OR op NOT IN ('=', '<>', '<', '<=', '>', '>=', 'in', 'exists') THEN
        PERFORM pgvec.raise_error('PV007',
            'a condition is {"key": text, "op": one of = <> < <= > >= in exists, "value": …}.', detail);
    END IF;
    IF op = 'exists' THEN
        IF jsonb_typeof(value) NOT IN ('boolean', 'null') THEN
            PERFORM pgvec.raise_error('PV007', 'the value of "exists" must be true or false.', detail);
        END IF;
        RETURN format('%smetadata ? %L', CASE WHEN value = 'false' THEN 'NOT ' ELSE '' END, key);
    ELSIF op = 'in' THEN
        IF jsonb_typeof(value) IS DISTINCT FROM 'array' THEN
            PERFORM pgvec.raise_error('PV007', 'the value of "in" must be an array.', detail);
        END IF;
        IF jsonb_array_length(value) BETWEEN 1 AND 20
           AND NOT EXISTS (SELECT FROM jsonb_array_elements(value) e WHERE jsonb_typeof(e) IN ('array', 'object')) THEN
            RETURN (SELECT '(' || string_agg(format('metadata @> %L::jsonb', jsonb_build_object(key, e)), ' OR ') || ')'
                      FROM jsonb_array_elements(value) e);
        END IF;
        RETURN format('metadata -> %L IN (SELECT e FROM pg_catalog.jsonb_array_elements(%L::jsonb) e)', key, value);
    ELSIF value IS NULL THEN
        PERFORM pgvec.raise_error('PV007', format('the condition on %s has no value.', quote_literal(key)), detail);
    ELSIF op = '=' AND jsonb_typeof(value) NOT IN ('array', 'object') THEN
        -- Containment means the same for a scalar under a key, and the planner knows from statistics how often it
        -- holds. It always expects the other form to be rare, and would rank exactly.
        RETURN format('metadata @> %L::jsonb', jsonb_build_object(key, value));
    ELSIF op IN ('=', '<>') THEN
        RETURN format('metadata -> %L %s %L::jsonb', key, op, value);
    END IF;
    RETURN format('pg_catalog.jsonb_typeof(metadata -> %1$L) = pg_catalog.jsonb_typeof(%3$L::jsonb) '
                  'AND metadata -> %1$L %2$s %3$L::jsonb', key, op, value);
END
$$;
