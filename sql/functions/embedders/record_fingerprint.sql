-- Records what a comparison with the canaries said: the verdict with the version, and an event when it changed.
-- A version without a fingerprint is left as it is.
-- Raises PV001, PV002, PV007 (a detail that is no object), 42501 (no worker of this collection).
CREATE OR REPLACE FUNCTION pgvec.record_fingerprint(collection text, model_version text, embedder jsonb, agrees boolean,
                                                    least_cosine float8, detail jsonb DEFAULT '{}')
RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT pgvec.ask_door('queue', $1, 'record_fingerprint', jsonb_build_object(
        'model_version', $2, 'embedder', $3, 'agrees', $4, 'least_cosine', $5, 'detail', $6));
$$;
