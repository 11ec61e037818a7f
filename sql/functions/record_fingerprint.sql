-- Records what a comparison with the canaries said: the verdict with the version, and an event when it changed.
-- A version without a fingerprint is left as it is. Raises PV001, PV002.
CREATE OR REPLACE FUNCTION pgvec.record_fingerprint(collection text, model_version text, embedder jsonb, agrees boolean, least_cosine float8, detail jsonb DEFAULT '{}')
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    before boolean;
BEGIN
    SELECT f.agrees INTO before FROM pgvec.fingerprint f WHERE f.collection = v.collection AND f.model_version = v.model_version FOR UPDATE;
    UPDATE pgvec.fingerprint f SET agrees = record_fingerprint.agrees, least_cosine = record_fingerprint.least_cosine, recorded_at = clock_timestamp()
     WHERE f.collection = v.collection AND f.model_version = v.model_version;
    IF before <> agrees THEN
        PERFORM pgvec.log_event(collection, model_version, CASE WHEN agrees THEN 'fingerprint_agrees' ELSE 'fingerprint_differs' END, NULL, NULL,
            coalesce(detail, '{}') || jsonb_build_object('embedder', embedder));
    END IF;
END
$$;
