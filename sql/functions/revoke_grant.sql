-- Takes a recorded privilege back: the record, and what apply_grants gave for it. Promises: what another
-- record of the role still gives stays, and so does what the role owns. What all collections share (schemas,
-- functions, the catalog's tables) stays as long as any record of the role gives it; no other collection is
-- touched. A privilege that was never recorded is left alone, however it came about. For NULL, which is what
-- to_regrole says of a role that was dropped: takes away the records of roles that are gone.
-- Raises PV001; 42501 for a caller who may not revoke.
CREATE OR REPLACE FUNCTION pgvec.revoke_grant(collection text, grantee regrole, privilege text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    role_name text := (SELECT r.rolname FROM pg_catalog.pg_roles r WHERE r.oid = revoke_grant.grantee);
    statement text;
BEGIN
    -- Whoever gives recorded privileges again at this moment is waited for, or waits and finds no record.
    PERFORM FROM pgvec.collection k WHERE k.collection = c.collection FOR UPDATE;
    -- Of two that revoke from one role, in two collections, the second sees that it takes the last.
    PERFORM FROM pgvec.collection_grant k WHERE k.grantee = role_name ORDER BY k.collection, k.privilege FOR UPDATE;
    DELETE FROM pgvec.collection_grant k
     WHERE k.collection = c.collection AND k.privilege = revoke_grant.privilege
       AND CASE WHEN role_name IS NULL THEN NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = k.grantee)
                ELSE k.grantee = role_name END;
    IF NOT FOUND OR role_name IS NULL THEN
        RETURN;
    END IF;

    FOR statement IN
        WITH relation (part, shared, schema, name) AS (
            VALUES ('chunks', false, c.host_schema, c.collection),
                   ('ids', false, c.host_schema, CASE c.id_type WHEN 'bigint' THEN c.collection || '_chunk_id_seq' END),
                   ('view', false, c.host_schema, 'active_' || c.collection),
                   ('work', true, 'pgvec', 'work_item'),
                   ('deletes', true, 'pgvec', 'tombstone'),
                   ('events', true, 'pgvec', 'version_event'),
                   ('catalog', true, 'pgvec', 'collection'),
                   ('catalog', true, 'pgvec', 'model_version'),
                   ('catalog', true, 'pgvec', 'catalog_version'),
                   ('catalog', true, 'pgvec', 'fingerprint'),
                   ('catalog', true, 'pgvec', 'canary'),
                   ('verdicts', true, 'pgvec', 'fingerprint')
            UNION ALL
            -- A pinned view that is still to come may have the name of something of the host's.
            SELECT p.* FROM pgvec.model_version v
             CROSS JOIN LATERAL (SELECT v.state IN ('ready', 'active', 'draining') AS shown) s
             CROSS JOIN LATERAL (VALUES (CASE WHEN s.shown THEN 'leaf' ELSE 'hidden leaf' END, false, 'pgvec_leaves', v.leaf),
                                        ('view', false, c.host_schema, CASE WHEN s.shown THEN v.pinned_view END)) p
             WHERE v.collection = c.collection AND v.dropped_at IS NULL
        ), object (part, shared, owner, name) AS (
            SELECT l.part, l.shared, r.relowner, format('%s %I.%I', CASE r.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, n.nspname, r.relname)
              FROM relation l JOIN pg_catalog.pg_namespace n ON n.nspname = l.schema
              JOIN pg_catalog.pg_class r ON r.relnamespace = n.oid AND r.relname = l.name
            UNION ALL
            SELECT 'schemas', true, n.nspowner, format('SCHEMA %I', n.nspname) FROM pg_catalog.pg_namespace n WHERE n.nspname IN ('pgvec', 'pgvec_leaves')
            UNION ALL
            SELECT 'functions', true, f.proowner, format('FUNCTION %s', f.oid::regprocedure)
              FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace WHERE n.nspname = 'pgvec' AND f.prokind <> 'p'
        ), gives (privilege, part, word) AS (
            SELECT g.privilege, g.part, unnest(g.words::text[])
              FROM (VALUES ('read', 'view', '{SELECT}'), ('read', 'leaf', '{SELECT}'), ('read', 'hidden leaf', '{SELECT}'),
                           ('write', 'chunks', '{SELECT,INSERT,UPDATE,DELETE}'), ('write', 'ids', '{USAGE}'), ('write', 'work', '{SELECT}'),
                           ('worker', 'leaf', '{SELECT,INSERT,UPDATE,DELETE}'), ('worker', 'hidden leaf', '{SELECT,INSERT,UPDATE,DELETE}'),
                           ('worker', 'work', '{SELECT,INSERT,UPDATE,DELETE}'), ('worker', 'deletes', '{SELECT}'), ('worker', 'events', '{SELECT,INSERT}'),
                           ('worker', 'verdicts', '{UPDATE}')) g (privilege, part, words)
            UNION ALL
            SELECT a.privilege, g.part, g.word
              FROM unnest('{read,write,worker}'::text[]) a (privilege),
                   (VALUES ('catalog', 'SELECT'), ('schemas', 'USAGE'), ('functions', 'EXECUTE')) g (part, word)
        )
        SELECT format('REVOKE %s ON %s FROM %I', string_agg(g.word, ', '), o.name, role_name)
          FROM object o JOIN gives g ON g.part = o.part AND g.privilege = revoke_grant.privilege
         WHERE o.owner <> revoke_grant.grantee
           -- A hidden leaf may have been shown before: read no longer gives it, but what it gave is taken.
           AND NOT EXISTS (SELECT FROM pgvec.collection_grant k JOIN gives h ON h.privilege = k.privilege
                            WHERE k.grantee = role_name AND (o.shared OR k.collection = c.collection)
                              AND h.part = g.part AND h.word = g.word AND (h.privilege, h.part) <> ('read', 'hidden leaf'))
         GROUP BY o.name
    LOOP
        EXECUTE statement;
    END LOOP;
END
$$;
