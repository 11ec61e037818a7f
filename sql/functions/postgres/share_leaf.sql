-- Keeps an index build of a version's leaf from starting before this transaction ends (pgvec.try_share_leaf).
-- Raises: PV001, PV002, PV009 (a build is running).
CREATE OR REPLACE FUNCTION pgvec.share_leaf(collection text, model_version text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
BEGIN
    IF NOT pgvec.try_share_leaf(to_regclass(format('pgvec_leaves.%I', v.leaf))) THEN
        PERFORM pgvec.raise_error('PV009',
            format('the index of %s in %s is being built.', v.model_version, v.collection),
            jsonb_build_object('collection', collection, 'model_version', model_version),
            'The work waits until the build has ended.');
    END IF;
END
$$;
