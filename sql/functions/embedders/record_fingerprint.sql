-- Records the result of a comparison with the canaries: the verdict with the version, and an event when it has changed.
-- A version without a fingerprint stays as it is.
-- Arguments:
--   least_cosine  the smallest cosine similarity of a canary
-- Raises: PV001 (no such collection), PV002 (no such version), PV007 (a detail that is no object), 42501 (not a worker
-- of this collection).
CREATE OR REPLACE FUNCTION pgvec.record_fingerprint(collection text, model_version text, embedder jsonb, agrees boolean,
                                                    least_cosine float8, detail jsonb DEFAULT '{}')
RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT pgvec.ask_door('queue', $1, 'record_fingerprint', jsonb_build_object(
        'model_version', $2, 'embedder', $3, 'agrees', $4, 'least_cosine', $5, 'detail', $6));
$$;
