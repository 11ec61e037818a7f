-- Ends a hold: the version retires when it is due. Returns whether there was one.
-- Raises: PV001, PV002.
CREATE OR REPLACE FUNCTION pgvec.release_version(collection text, model_version text)
RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
BEGIN
    DELETE FROM pgvec.retirement_hold h WHERE h.collection = v.collection AND h.model_version = v.model_version;
    IF FOUND THEN
        PERFORM pgvec.log_event(collection, model_version, 'release', v.state, v.state);
        RETURN true;
    END IF;
    RETURN false;
END
$$;
