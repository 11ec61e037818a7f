-- Revokes a recorded privilege: deletes the record, and revokes what no other record of the role gives
-- (pgvec.revoke_unrecorded). A privilege that was never recorded stays, however the role got it, and a notice says so.
-- For a role that was dropped, and for NULL, as to_regrole returns it for such a role: deletes the records of roles
-- that were dropped.
-- Arguments:
--   privilege   'read', 'write' or 'worker'
-- Raises: PV001, 42501 (the caller may not revoke).
CREATE OR REPLACE FUNCTION pgvec.revoke_grant(collection text, grantee regrole, privilege text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
BEGIN
    -- A session that applies recorded grants at this moment has either finished, or waits and then finds no record.
    PERFORM FROM pgvec.collection k WHERE k.collection = c.collection FOR UPDATE;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = revoke_grant.grantee) THEN
        IF pgvec.forget_gone_roles(c.collection, privilege) = 0 THEN
            RAISE NOTICE 'there is no such role, nor a record of % in % for one that was dropped: nothing was revoked',
                privilege, c.collection;
        END IF;
        RETURN;
    END IF;
    -- Two sessions may revoke from one role in two collections: the second waits here, and sees that its record is the
    -- role's last.
    PERFORM FROM pgvec.collection_grant k
      WHERE k.grantee = revoke_grant.grantee
      ORDER BY k.collection, k.privilege
        FOR UPDATE;
    DELETE FROM pgvec.collection_grant k
     WHERE k.collection = c.collection AND k.privilege = revoke_grant.privilege AND k.grantee = revoke_grant.grantee;
    IF NOT FOUND THEN
        RAISE NOTICE '% has no recorded privilege to % in %: nothing was revoked', grantee, privilege, c.collection;
        RETURN;
    END IF;
    PERFORM pgvec.revoke_unrecorded(c.collection, grantee, privilege);
END
$$;
