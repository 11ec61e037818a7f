-- Detaches a version's leaf into schema pgvec_archive. The leaf loses its HNSW index and all privileges of other roles;
-- no row is copied or scanned. The caller holds the strongest lock on the chunk table, and changes the state.
-- Raises: PV001, PV002; 23503 when a foreign key of another table points to the version's rows.
CREATE OR REPLACE FUNCTION pgvec.archive_leaf(collection text, model_version text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    leaf CONSTANT text := format('pgvec_leaves.%I', v.leaf);
    archived CONSTANT text := format('pgvec_archive.%I', v.leaf);
    grantee text;
BEGIN
    -- An adopted leaf is free already: its intake is gone.
    IF EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = to_regclass(leaf)) THEN
        EXECUTE format('ALTER TABLE %s DETACH PARTITION %s', pgvec.chunk_table(collection), leaf);
    END IF;
    EXECUTE format('DROP INDEX IF EXISTS pgvec_leaves.%I', v.leaf || '_hnsw');
    FOR grantee IN
        SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END
          FROM pg_catalog.pg_class t, LATERAL aclexplode(t.relacl) a
         WHERE t.oid = to_regclass(leaf) AND a.grantee <> t.relowner
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s', leaf, grantee);
    END LOOP;
    EXECUTE format('ALTER TABLE %s SET SCHEMA pgvec_archive', leaf);
    INSERT INTO pgvec.archive (collection, model_version, kind, location, bytes, columns)
    VALUES (v.collection, v.model_version, 'table', archived, pg_total_relation_size(archived::regclass),
            pgvec.column_list(archived::regclass));
END
$$;
