-- Declares that another embedder identity is the same model served elsewhere. You can bind that embedder to the version
-- too, as long as it agrees with the canaries, which is checked at every binding. A second declaration changes nothing.
-- Raises: PV001 (no such collection), PV002 (no such version), PV007 (embedder), PV071 (the version has no canaries).
CREATE OR REPLACE FUNCTION pgvec.declare_equivalent(collection text, model_version text, embedder jsonb,
                                                    reason text DEFAULT '')
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
BEGIN
    IF embedder IS NULL OR jsonb_typeof(embedder) <> 'object' OR embedder = '{}' THEN
        PERFORM pgvec.raise_error('PV007', 'embedder must be a JSON object that says which model it is.',
            jsonb_build_object('embedder', embedder));
    END IF;
    IF NOT EXISTS (SELECT FROM pgvec.fingerprint f
                    WHERE f.collection = v.collection AND f.model_version = v.model_version) THEN
        PERFORM pgvec.raise_error('PV071',
            format('version %s of %s has no canaries to compare with.', model_version, collection),
            jsonb_build_object('collection', collection, 'model_version', model_version),
            'Only a version that was registered with its embedder can have equivalents.');
    END IF;
    UPDATE pgvec.model_version k SET equivalents = k.equivalents || jsonb_build_array(declare_equivalent.embedder)
     WHERE k.collection = v.collection AND k.model_version = v.model_version
       AND k.embedder <> declare_equivalent.embedder
       AND NOT EXISTS (SELECT FROM jsonb_array_elements(k.equivalents) e WHERE e = declare_equivalent.embedder);
    IF FOUND THEN
        PERFORM pgvec.log_event(collection, model_version, 'declare_equivalent', NULL, NULL,
            jsonb_build_object('embedder', embedder, 'reason', coalesce(reason, '')));
    END IF;
END
$$;
