-- Ends a pause: workers claim work for the version again, and its verbs go through.
-- Returns false when the version was not paused.
-- Raises: PV001 (no such collection), PV002 (no such version).
CREATE OR REPLACE FUNCTION pgvec.resume(collection text, model_version text)
RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    since timestamptz;
BEGIN
    UPDATE pgvec.model_version k SET paused_at = NULL FROM pgvec.model_version before
     WHERE k.collection = resume.collection AND k.model_version = resume.model_version AND k.paused_at IS NOT NULL
       AND before.collection = k.collection AND before.model_version = k.model_version
    RETURNING before.paused_at INTO since;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM pgvec.log_event(collection, model_version, 'resume', v.state, v.state,
        jsonb_build_object('seconds', round(extract(epoch FROM clock_timestamp() - since), 3)));
    RETURN true;
END
$$;
