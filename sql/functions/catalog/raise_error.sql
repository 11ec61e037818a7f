-- Raises one of our errors.
-- Promise: the message says what happened to what, DETAIL is JSON that every client can read, the hint says what to do.
-- Raises: the code that it is given.
-- Why DETAIL may be cut: a value may be huge, or nested too deep for a parser; then DETAIL repeats its beginning, as
-- text.
CREATE OR REPLACE FUNCTION pgvec.raise_error(code text, message text, detail jsonb DEFAULT '{}', hint text DEFAULT NULL)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    too_deep CONSTANT jsonpath := 'strict $.**{64}';
    shortened CONSTANT jsonb := CASE jsonb_typeof(detail) WHEN 'object' THEN
        (SELECT jsonb_object_agg(e.key,
                    CASE WHEN octet_length(e.value::text) > 100000 OR jsonb_path_exists(e.value, too_deep)
                         THEN to_jsonb(left(e.value::text, 200)) ELSE e.value END)
           FROM jsonb_each(detail) e) END;
BEGIN
    IF hint IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message, DETAIL = coalesce(shortened, '{}')::text;
    END IF;
    RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message, DETAIL = coalesce(shortened, '{}')::text, HINT = hint;
END
$$;
