-- Grants every recorded privilege of a collection on the objects that it has now: only what is missing, and nothing to
-- PUBLIC. First deletes the records of roles that were dropped, with a notice (pgvec.forget_gone_roles).
-- Raises: PV001.
CREATE OR REPLACE FUNCTION pgvec.apply_grants(collection text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    statement text;
BEGIN
    PERFORM pgvec.forget_gone_roles(collection);
    FOR statement IN
        WITH lacking AS (
            SELECT g.grantee, o.kind, o.name, string_agg(DISTINCT w.word, ', ') AS words
              FROM pgvec.privilege_objects(apply_grants.collection) o
              JOIN pgvec.privilege_words() w ON w.part = o.part AND w.given
              JOIN pgvec.collection_grant g ON g.collection = apply_grants.collection AND g.privilege = w.privilege
             WHERE g.grantee <> o.owner
               AND NOT EXISTS (SELECT FROM aclexplode(o.acl) a
                                WHERE a.grantee = g.grantee AND a.privilege_type = w.word)
             GROUP BY g.grantee, o.kind, o.name)
        SELECT format('GRANT %s ON %s %s TO %s', l.words, l.kind, string_agg(l.name, ', ' ORDER BY l.name), l.grantee)
          FROM lacking l
         GROUP BY l.words, l.kind, l.grantee
    LOOP
        EXECUTE statement;
    END LOOP;
END
$$;
