-- Refuses a filter that would take too long to plan and run; pgvec.filter_sql and pgvec_versions/filters.py state the
-- limits. It stops at the first limit: a filter that is too large is not taken apart.
-- Arguments:
--   which  filter (the object) or conditions (the array), for the error
-- Raises: PV007 (DETAIL has which, what, most, given where it was counted, and the key of an "in").
CREATE OR REPLACE FUNCTION pgvec.limit_filter(which text, given jsonb)
RETURNS void LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bytes CONSTANT integer := octet_length(given::text);
    too_deep CONSTANT jsonpath := 'strict $.**{32} ? (@.type() == "object" || @.type() == "array")';
    amount integer;
    key text;
BEGIN
    IF which IS DISTINCT FROM 'filter' AND jsonb_typeof(given) <> 'array' THEN
        PERFORM pgvec.raise_error('PV007', 'conditions must be a JSON array.',
            jsonb_build_object('which', which, 'conditions', jsonb_typeof(given)));
    END IF;
    IF bytes > 1000000 THEN
        PERFORM pgvec.raise_error('PV007', format('%s has %s bytes as JSON, at most 1000000 are taken.', which, bytes),
            jsonb_build_object('which', which, 'what', 'bytes', 'given', bytes, 'most', 1000000));
    END IF;
    -- The array of conditions and the condition itself do not count as levels of a value.
    IF (CASE which WHEN 'filter' THEN jsonb_path_exists(given, too_deep)
                   ELSE EXISTS (SELECT FROM jsonb_array_elements(given) c
                                 WHERE jsonb_path_exists(c -> 'value', too_deep)) END) THEN
        PERFORM pgvec.raise_error('PV007', format('%s is nested more than 32 levels deep.', which),
            jsonb_build_object('which', which, 'what', 'levels', 'most', 32));
    END IF;
    IF which = 'filter' THEN
        RETURN;
    END IF;
    amount := jsonb_array_length(given);
    IF amount > 100 THEN
        PERFORM pgvec.raise_error('PV007', format('%s conditions are given, at most 100 are taken.', amount),
            jsonb_build_object('which', which, 'what', 'conditions', 'given', amount, 'most', 100),
            'Say several values of one key with "in".');
    END IF;
    SELECT c ->> 'key', jsonb_array_length(c -> 'value') INTO key, amount FROM jsonb_array_elements(given) c
     WHERE CASE jsonb_typeof(c -> 'value') WHEN 'array' THEN jsonb_array_length(c -> 'value') > 10000 END LIMIT 1;
    IF FOUND THEN
        PERFORM pgvec.raise_error('PV007', format('the condition on %L has %s values, at most 10000 are taken.',
                                                  left(key, 80), amount),
            jsonb_build_object('which', which, 'what', 'values', 'key', left(key, 80), 'given', amount, 'most', 10000));
    END IF;
END
$$;
