-- Returns the figures of one version for pgvec.version_status, counted and not estimated; NULL once the leaf is gone.
-- Units: bytes.
-- Raises: PV001, PV002.
CREATE OR REPLACE FUNCTION pgvec.leaf_status(collection text, model_version text)
RETURNS TABLE (chunks bigint, missing bigint, index_state text, index_bytes bigint, table_bytes bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    found_leaf regclass := to_regclass(format('pgvec_leaves.%I', v.leaf));
BEGIN
    IF v.dropped_at IS NULL AND found_leaf IS NOT NULL THEN
        EXECUTE format('SELECT count(*) FROM %s', found_leaf) INTO chunks;
        SELECT count(*) INTO missing FROM pgvec.missing_chunks(collection, model_version);
        index_state := pgvec.index_state(v.leaf);
        index_bytes := pg_relation_size(to_regclass(format('pgvec_leaves.%I', v.leaf || '_hnsw')));
        table_bytes := pg_table_size(found_leaf);
    END IF;
    RETURN NEXT;
END
$$;
