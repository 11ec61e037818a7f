-- Takes a recorded privilege back: the record, and what apply_grants gave for it. Promises: what another
-- record of the role still gives stays, and so does what the role owns. What all collections share (schemas,
-- functions, the catalog's tables) stays as long as any record of the role gives it; no other collection is
-- touched. A privilege that was never recorded is left alone, however it came about, and a notice says so.
-- For a role that is gone, and for NULL, which is what to_regrole says of it: takes away the records of roles that are
-- gone. Raises PV001; 42501 for a caller who may not revoke.
CREATE OR REPLACE FUNCTION pgvec.revoke_grant(collection text, grantee regrole, privilege text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    statement text;
BEGIN
    -- Whoever gives recorded privileges again at this moment is waited for, or waits and finds no record.
    PERFORM FROM pgvec.collection k WHERE k.collection = c.collection FOR UPDATE;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = revoke_grant.grantee) THEN
        IF pgvec.forget_gone_roles(c.collection, privilege) = 0 THEN
            RAISE NOTICE 'there is no such role, nor a record of % in % for one that was dropped: nothing was revoked',
                privilege, c.collection;
        END IF;
        RETURN;
    END IF;
    -- Of two that revoke from one role, in two collections, the second sees that it takes the last.
    PERFORM FROM pgvec.collection_grant k WHERE k.grantee = revoke_grant.grantee
     ORDER BY k.collection, k.privilege FOR UPDATE;
    DELETE FROM pgvec.collection_grant k
     WHERE k.collection = c.collection AND k.privilege = revoke_grant.privilege AND k.grantee = revoke_grant.grantee;
    IF NOT FOUND THEN
        RAISE NOTICE '% has no recorded privilege to % in %: nothing was revoked', grantee, privilege, c.collection;
        RETURN;
    END IF;

    FOR statement IN
        WITH taken AS (
            SELECT o.kind, o.name, string_agg(DISTINCT w.word, ', ') AS words
              FROM pgvec.privilege_objects(c.collection) o
              JOIN pgvec.privilege_words() w ON w.part = o.part AND w.privilege = revoke_grant.privilege
             WHERE o.owner <> revoke_grant.grantee
               AND EXISTS (SELECT FROM aclexplode(o.acl) a
                            WHERE a.grantee = revoke_grant.grantee AND a.privilege_type = w.word)
               AND NOT EXISTS (SELECT FROM pgvec.collection_grant k
                                 JOIN pgvec.privilege_words() h ON h.privilege = k.privilege AND h.given
                                WHERE k.grantee = revoke_grant.grantee AND (o.shared OR k.collection = c.collection)
                                  AND h.part = w.part AND h.word = w.word)
             GROUP BY o.kind, o.name)
        SELECT format('REVOKE %s ON %s %s FROM %s', t.words, t.kind, string_agg(t.name, ', '), grantee)
          FROM taken t GROUP BY t.words, t.kind
    LOOP
        EXECUTE statement;
    END LOOP;
END
$$;
