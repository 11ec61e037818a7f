-- Revokes what apply_grants granted a role for a privilege on a collection, where no record of the role gives it any
-- more. What the role owns stays. What all collections share (schemas, functions, the catalog's tables) stays as long
-- as a record of the role in any collection gives it. It never touches the objects of other collections.
-- Arguments:
--   privilege   'read', 'write' or 'worker'; the caller has deleted its record
-- Raises: PV001, 42501 (the caller may not revoke).
CREATE OR REPLACE FUNCTION pgvec.revoke_unrecorded(collection text, grantee regrole, privilege text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        WITH unrecorded AS (
            SELECT o.kind, o.name, string_agg(DISTINCT w.word, ', ') AS words
              FROM pgvec.privilege_objects(revoke_unrecorded.collection) o
              JOIN pgvec.privilege_words() w ON w.part = o.part AND w.privilege = revoke_unrecorded.privilege
             WHERE o.owner <> revoke_unrecorded.grantee
               AND EXISTS (SELECT FROM aclexplode(o.acl) a
                            WHERE a.grantee = revoke_unrecorded.grantee AND a.privilege_type = w.word)
               AND NOT EXISTS (SELECT FROM pgvec.collection_grant k
                                 JOIN pgvec.privilege_words() h ON h.privilege = k.privilege AND h.given
                                WHERE k.grantee = revoke_unrecorded.grantee
                                  AND (o.shared OR k.collection = revoke_unrecorded.collection)
                                  AND h.part = w.part AND h.word = w.word)
             GROUP BY o.kind, o.name)
        SELECT format('REVOKE %s ON %s %s FROM %s', u.words, u.kind, string_agg(u.name, ', '), grantee)
          FROM unrecorded u
         GROUP BY u.words, u.kind
    LOOP
        EXECUTE statement;
    END LOOP;
END
$$;
