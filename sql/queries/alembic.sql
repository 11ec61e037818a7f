-- What Alembic operations need beyond the plain verbs. Migrations are run up, down and up again: each statement
-- here looks at where the version stands first. Values are bound online and written as literals for --sql.

-- name: register_unless_there
-- A label that is live with the very same identity and index is left as it is; any other use of it raises PV004.
SELECT pgvec.register_version(%(collection)s, %(model_version)s, %(dimensions)s, %(embedder)s, %(m)s, %(ef_construction)s)
 WHERE NOT EXISTS (SELECT FROM pgvec.model_version v
                    WHERE v.collection = %(collection)s AND v.model_version = %(model_version)s
                      AND v.state IN ('building', 'ready', 'active', 'draining')
                      AND v.dimensions = %(dimensions)s AND v.embedder = %(embedder)s
                      AND v.m = %(m)s AND v.ef_construction = %(ef_construction)s)

-- name: abandon_unless_activated
SELECT pgvec.abandon(v.collection, v.model_version)
  FROM pgvec.get_version(%(collection)s, %(model_version)s) v
 WHERE v.state IN ('building', 'ready')

-- name: build_index_if_building
SELECT pgvec.build_index(v.collection, v.model_version)
  FROM pgvec.get_version(%(collection)s, %(model_version)s) v
 WHERE v.state = 'building'

-- name: make_ready_if_building
SELECT pgvec.make_ready(v.collection, v.model_version)
  FROM pgvec.get_version(%(collection)s, %(model_version)s) v
 WHERE v.state = 'building'

-- name: activate
-- A version that was rolled back from is draining: the way to it is roll_back, which goes to the one active last.
SELECT CASE WHEN v.state = 'active' THEN v.model_version
            WHEN v.model_version = (SELECT d.model_version FROM pgvec.model_version d
                                     WHERE d.collection = v.collection AND d.state = 'draining'
                                     ORDER BY d.draining_at DESC LIMIT 1) THEN pgvec.roll_back(v.collection)
            ELSE pgvec.cut_over(v.collection, v.model_version) END
  FROM pgvec.get_version(%(collection)s, %(model_version)s) v

-- name: take_back_cut_over
-- The first version that was ever active has nothing before it: it stays active.
SELECT pgvec.roll_back(v.collection)
  FROM pgvec.get_version(%(collection)s, %(model_version)s) v
 WHERE v.state = 'active'
   AND EXISTS (SELECT FROM pgvec.model_version p
                WHERE p.collection = v.collection AND p.model_version <> v.model_version AND p.activated_at IS NOT NULL)

-- name: roll_back_now
SELECT pgvec.roll_back(%(collection)s)

-- name: refresh_collection
SELECT pgvec.refresh_collection(%(collection)s)

-- name: grant_read
SELECT pgvec.grant_read(%(collection)s, quote_ident(%(grantee)s)::regrole)

-- name: grant_write
SELECT pgvec.grant_write(%(collection)s, quote_ident(%(grantee)s)::regrole)

-- name: grant_worker
SELECT pgvec.grant_worker(%(collection)s, quote_ident(%(grantee)s)::regrole)

-- name: revoke_arguments
-- DO takes no arguments; the setting lasts as long as the transaction.
SELECT set_config('pgvec.revoke', jsonb_build_object('collection', %(collection)s::text, 'grantee', %(grantee)s::text,
                                                     'privilege', %(privilege)s::text)::text, true)

-- name: revoke
-- Takes a recorded privilege away: the record, then everything it may have given, then what the records that are
-- left give. What a role holds as the owner is left alone. Raises PV001.
DO $$
DECLARE
    asked CONSTANT jsonb := current_setting('pgvec.revoke')::jsonb;
    c pgvec.collection := pgvec.get_collection(asked ->> 'collection');
    role_oid oid := to_regrole(quote_ident(asked ->> 'grantee'));
    role_name text := asked ->> 'grantee';
    kind text := asked ->> 'privilege';
    relation regclass;
    kept text;
BEGIN
    DELETE FROM pgvec.collection_grant k
     WHERE k.collection = c.collection AND k.grantee = role_name AND k.privilege = kind;
    IF NOT FOUND OR role_oid IS NULL THEN
        RETURN;
    END IF;
    FOR relation IN
        SELECT r.oid
          FROM pg_catalog.pg_class r JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
         WHERE r.relowner <> role_oid
           AND ((n.nspname = c.host_schema AND r.relname IN (c.collection, 'active_' || c.collection))
                OR EXISTS (SELECT FROM pgvec.model_version v WHERE v.collection = c.collection
                              AND ((n.nspname = 'pgvec_leaves' AND r.relname = v.leaf)
                                   OR (n.nspname = c.host_schema AND r.relname = v.pinned_view))))
    LOOP
        EXECUTE format('REVOKE SELECT, INSERT, UPDATE, DELETE ON %s FROM %I', relation, role_name);
    END LOOP;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.nspname = 'pgvec' AND n.nspowner = role_oid) THEN
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA pgvec FROM %I', role_name);
        EXECUTE format('REVOKE ALL ON ALL ROUTINES IN SCHEMA pgvec FROM %I', role_name);
        EXECUTE format('REVOKE ALL ON SCHEMA pgvec, pgvec_leaves FROM %I', role_name);
    END IF;
    FOR kept IN SELECT DISTINCT k.collection FROM pgvec.collection_grant k WHERE k.grantee = role_name LOOP
        PERFORM pgvec.apply_grants(kept);
    END LOOP;
END
$$
