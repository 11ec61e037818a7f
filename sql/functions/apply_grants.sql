-- Gives every recorded privilege of a collection on what stands there now. Nothing is granted to PUBLIC.
CREATE OR REPLACE FUNCTION pgvec.apply_grants(collection text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    g record;
    v pgvec.model_version;
    shown boolean;
BEGIN
    FOR g IN SELECT k.grantee, k.privilege FROM pgvec.collection_grant k JOIN pg_catalog.pg_roles r ON r.rolname = k.grantee WHERE k.collection = c.collection LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA pgvec, pgvec_leaves TO %I', g.grantee);
        EXECUTE format('GRANT SELECT ON pgvec.collection, pgvec.model_version, pgvec.catalog_version, pgvec.fingerprint, pgvec.canary TO %I', g.grantee);
        EXECUTE format('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pgvec TO %I', g.grantee);
        IF g.privilege = 'read' THEN
            EXECUTE format('GRANT SELECT ON %I.%I TO %I', c.host_schema, 'active_' || c.collection, g.grantee);
        ELSIF g.privilege = 'write' THEN
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I.%I TO %I', c.host_schema, c.collection, g.grantee);
            EXECUTE format('GRANT SELECT ON pgvec.work_item TO %I', g.grantee);
            IF c.id_type = 'bigint' THEN
                EXECUTE format('GRANT USAGE ON SEQUENCE %I.%I TO %I', c.host_schema, c.collection || '_chunk_id_seq', g.grantee);
            END IF;
        ELSE
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON pgvec.work_item TO %I', g.grantee);
            EXECUTE format('GRANT SELECT ON pgvec.tombstone TO %I', g.grantee);
            EXECUTE format('GRANT SELECT, INSERT ON pgvec.version_event TO %I', g.grantee);
            EXECUTE format('GRANT UPDATE ON pgvec.fingerprint TO %I', g.grantee);
        END IF;
        FOR v IN SELECT k.* FROM pgvec.model_version k WHERE k.collection = c.collection AND k.dropped_at IS NULL LOOP
            shown := v.state IN ('ready', 'active', 'draining');
            IF g.privilege = 'worker' THEN
                EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON pgvec_leaves.%I TO %I', v.leaf, g.grantee);
            ELSIF g.privilege = 'read' AND shown THEN
                EXECUTE format('GRANT SELECT ON pgvec_leaves.%I TO %I', v.leaf, g.grantee);
                EXECUTE format('GRANT SELECT ON %I.%I TO %I', c.host_schema, v.pinned_view, g.grantee);
            END IF;
        END LOOP;
    END LOOP;
END
$$;
