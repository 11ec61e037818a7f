-- Detaches a version's leaf into schema pgvec_archive, without its HNSW index and without anybody's privileges on it.
-- Nothing is copied or scanned. The caller holds the chunk table's strongest lock and changes the state.
-- Raises PV001, PV002; 23503 when a foreign key of the host's points to the version's rows.
CREATE OR REPLACE FUNCTION pgvec.archive_leaf(collection text, model_version text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    grantee text;
BEGIN
    EXECUTE format('ALTER TABLE %s DETACH PARTITION pgvec_leaves.%I', pgvec.chunk_table(collection), v.leaf);
    EXECUTE format('DROP INDEX IF EXISTS pgvec_leaves.%I', v.leaf || '_hnsw');
    FOR grantee IN
        SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END
          FROM pg_catalog.pg_class t, LATERAL aclexplode(t.relacl) a
         WHERE t.oid = to_regclass(format('pgvec_leaves.%I', v.leaf)) AND a.grantee <> t.relowner
    LOOP
        EXECUTE format('REVOKE ALL ON pgvec_leaves.%I FROM %s', v.leaf, grantee);
    END LOOP;
    EXECUTE format('ALTER TABLE pgvec_leaves.%I SET SCHEMA pgvec_archive', v.leaf);
    INSERT INTO pgvec.archive (collection, model_version, kind, location, bytes, columns)
    VALUES (v.collection, v.model_version, 'table', format('pgvec_archive.%I', v.leaf),
            pg_total_relation_size(format('pgvec_archive.%I', v.leaf)::regclass), pgvec.column_list(format('pgvec_archive.%I', v.leaf)::regclass));
END
$$;
