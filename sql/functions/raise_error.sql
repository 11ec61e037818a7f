-- Raises one of our errors. Promise: the message says what happened to what, DETAIL is JSON, the
-- hint says what to do. Raises whatever code it is given.
CREATE OR REPLACE FUNCTION pgvec.raise_error(code text, message text, detail jsonb DEFAULT '{}', hint text DEFAULT NULL)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF hint IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message, DETAIL = detail::text;
    END IF;
    RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message, DETAIL = detail::text, HINT = hint;
END
$$;
