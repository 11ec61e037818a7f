-- Writes a privilege down and gives it. Raises PV001, PV007.
CREATE OR REPLACE FUNCTION pgvec.record_grant(collection text, grantee regrole, privilege text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF privilege IS NULL OR privilege NOT IN ('read', 'write', 'worker') OR NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = grantee) THEN
        PERFORM pgvec.raise_error('PV007', 'a grant needs a role that exists, and is read, write or worker.', jsonb_build_object('privilege', privilege, 'grantee', grantee::text));
    END IF;
    PERFORM pgvec.get_collection(collection);
    INSERT INTO pgvec.collection_grant (collection, grantee, privilege)
    SELECT record_grant.collection, r.rolname, record_grant.privilege FROM pg_catalog.pg_roles r WHERE r.oid = record_grant.grantee
    ON CONFLICT DO NOTHING;
    PERFORM pgvec.apply_grants(collection);
END
$$;
