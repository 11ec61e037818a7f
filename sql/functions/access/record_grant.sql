-- Records a privilege of a role on a collection, and grants it.
-- Arguments:
--   privilege   'read', 'write' or 'worker'
-- Raises: PV001, PV007 (no role, or no such privilege), 42704 (the role does not exist).
CREATE OR REPLACE FUNCTION pgvec.record_grant(collection text, grantee regrole, privilege text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
BEGIN
    IF grantee IS NULL THEN
        PERFORM pgvec.raise_error('PV007', 'no role is named.',
            jsonb_build_object('collection', collection, 'privilege', privilege));
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = record_grant.grantee) THEN
        PERFORM pgvec.raise_error('42704', format('there is no role %s.', grantee),
            jsonb_build_object('role', grantee::text));
    END IF;
    IF privilege IS NULL OR privilege NOT IN ('read', 'write', 'worker') THEN
        PERFORM pgvec.raise_error('PV007', 'a grant is read, write or worker.',
            jsonb_build_object('privilege', privilege));
    END IF;
    -- A session that makes a leaf or revokes at this moment has either finished, or waits and then finds this record.
    PERFORM FROM pgvec.collection k WHERE k.collection = c.collection FOR UPDATE;
    INSERT INTO pgvec.collection_grant (collection, grantee, privilege)
    VALUES (c.collection, record_grant.grantee, record_grant.privilege)
    ON CONFLICT DO NOTHING;
    PERFORM pgvec.apply_grants(c.collection);
END
$$;
