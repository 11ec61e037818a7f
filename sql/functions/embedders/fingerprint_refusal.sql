-- Why a version takes no fingerprint (any more): 'stored' when it has one, 'chunks' when it holds or held chunks, and
-- NULL when it takes one.
-- Raises: PV001 (no such collection), PV002 (no such version).
-- Why not with chunks: nothing would show that the same embedder made both.
CREATE OR REPLACE FUNCTION pgvec.fingerprint_refusal(collection text, model_version text)
RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    filled boolean;
BEGIN
    IF EXISTS (SELECT FROM pgvec.fingerprint f
                WHERE f.collection = v.collection AND f.model_version = v.model_version) THEN
        RETURN 'stored';
    END IF;
    IF v.dropped_at IS NOT NULL THEN
        RETURN 'chunks';
    END IF;
    EXECUTE format('SELECT EXISTS (SELECT FROM pgvec_leaves.%I)', v.leaf) INTO filled;
    RETURN CASE WHEN filled THEN 'chunks' END;
END
$$;
