-- What record_fingerprint does, behind the workers' door of the collection: only the owner can call it.
-- Raises: PV001 (no such collection), PV002 (no such version), PV007 (no verdict, or a detail that is no object).
CREATE OR REPLACE FUNCTION pgvec.keep_verdict(collection text, model_version text, embedder jsonb, agrees boolean,
                                              least_cosine float8, detail jsonb)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    before boolean;
BEGIN
    IF jsonb_typeof(detail) NOT IN ('object', 'null') OR agrees IS NULL THEN
        PERFORM pgvec.raise_error('PV007', 'a verdict agrees or does not, and its detail is a JSON object.',
            jsonb_build_object('agrees', agrees, 'detail', jsonb_typeof(detail)));
    END IF;
    SELECT f.agrees INTO before FROM pgvec.fingerprint f
     WHERE f.collection = v.collection AND f.model_version = v.model_version FOR UPDATE;
    UPDATE pgvec.fingerprint f
       SET agrees = keep_verdict.agrees, least_cosine = keep_verdict.least_cosine, recorded_at = clock_timestamp()
     WHERE f.collection = v.collection AND f.model_version = v.model_version;
    IF before <> agrees THEN
        PERFORM pgvec.log_event(collection, model_version,
            CASE WHEN agrees THEN 'fingerprint_agrees' ELSE 'fingerprint_differs' END, NULL, NULL,
            coalesce(nullif(detail, 'null'), '{}') || jsonb_build_object('embedder', embedder));
    END IF;
END
$$;
