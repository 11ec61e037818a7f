-- Tells one build of a version's index from the next: another number after every build, NULL without an index.
-- Raises: PV001 (no such collection), PV002 (no such version).
CREATE OR REPLACE FUNCTION pgvec.index_mark(collection text, model_version text)
RETURNS bigint LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
BEGIN
    RETURN pg_relation_filenode(to_regclass(format('pgvec_leaves.%I', v.leaf || '_hnsw')))::bigint;
END
$$;
