-- Which build of a version's index stands there: another number after every build, NULL without an index.
-- Raises PV001, PV002.
CREATE OR REPLACE FUNCTION pgvec.index_mark(collection text, model_version text)
RETURNS bigint LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN pg_relation_filenode(to_regclass(format('pgvec_leaves.%I', (pgvec.get_version(collection, model_version)).leaf || '_hnsw')))::bigint;
END
$$;
