-- Runs before the files of the catalog, up or down: allows one installation at a time, finds pgvector's names in
-- whichever schema the extension is, and saves the caller's settings for the end. Only the first two statements run
-- with the caller's search_path, and they name everything with its schema.
-- Installations wait for each other: by the lock of a row that only an owner of the catalog can lock, or, while there
-- is no catalog, by the name of schema pgvec. Each wait ends after 10 s, unless a lock_timeout is in force.
-- Raises: 42501 (another role owns schema pgvec, or this one may not create schemas or use that of pgvector), 55P03
-- (another installation does not end).
SELECT pg_catalog.set_config('pgvec.saved_search_path', pg_catalog.current_setting('search_path'), true);
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
SELECT set_config('pgvec.saved_lock_timeout', current_setting('lock_timeout'), true);
SELECT set_config('lock_timeout', '10s', true) WHERE current_setting('lock_timeout') = '0';
DO $$
DECLARE
    owner CONSTANT oid := (SELECT n.nspowner FROM pg_namespace n WHERE n.nspname = 'pgvec');
    vector_schema CONSTANT text := (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
                                     WHERE e.extname = 'vector' AND NOT has_schema_privilege(n.oid, 'USAGE'));
    holders text;
BEGIN
    -- The installing role runs what is in this schema, so it must own the schema, or be a member of the owner. A
    -- superuser that is not the owner would lend its privileges to the owner.
    IF owner IS NOT NULL AND pg_get_userbyid(owner) <> current_user
       AND (NOT pg_has_role(current_user, owner, 'USAGE')
            OR (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user)
               AND NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.oid = owner)) THEN
        RAISE EXCEPTION 'schema pgvec belongs to %, not to %.', pg_get_userbyid(owner), current_user
            USING ERRCODE = '42501',
                  DETAIL = jsonb_build_object('schema', 'pgvec', 'owner', pg_get_userbyid(owner))::text,
                  HINT = format('If that role installed the catalog: SET ROLE %I; then again. '
                                'If not, the schema is not ours.', pg_get_userbyid(owner));
    END IF;
    IF owner IS NULL AND NOT has_database_privilege(current_database(), 'CREATE') THEN
        RAISE EXCEPTION 'role % may not create schemas in database %.', current_user, current_database()
            USING ERRCODE = '42501',
                  DETAIL = jsonb_build_object('database', current_database(), 'role', current_user)::text,
                  HINT = format('Ask the owner of the database (%s) or a superuser to run: '
                                'GRANT CREATE ON DATABASE %I TO %I;',
                                (SELECT pg_get_userbyid(d.datdba) FROM pg_database d
                                  WHERE d.datname = current_database()), current_database(), current_user);
    END IF;
    IF vector_schema IS NOT NULL THEN
        RAISE EXCEPTION 'role % may not use schema %, and extension vector is there.', current_user, vector_schema
            USING ERRCODE = '42501',
                  DETAIL = jsonb_build_object('schema', vector_schema, 'role', current_user)::text,
                  HINT = format('Ask a superuser to run: GRANT USAGE ON SCHEMA %I TO %I;', vector_schema, current_user);
    END IF;
    IF to_regclass('pgvec.catalog_version') IS NOT NULL THEN
        PERFORM FROM pgvec.catalog_version v ORDER BY v.version FOR UPDATE;
    END IF;
EXCEPTION WHEN lock_not_available THEN
    SELECT string_agg(DISTINCT l.pid::text, ', ') INTO holders FROM pg_locks l
     WHERE l.relation = to_regclass('pgvec.catalog_version') AND l.mode <> 'AccessShareLock'
       AND l.pid <> pg_backend_pid();
    RAISE EXCEPTION 'another installation is under way: process % has the catalog.',
                    coalesce(holders, 'that just ended')
        USING ERRCODE = '55P03',
              DETAIL = jsonb_build_object('processes', string_to_array(holders, ', ')::integer[])::text,
              HINT = 'Nothing was changed. Look for it in pg_stat_activity, end its transaction, or try again.';
END
$$;
SELECT set_config('search_path', 'pg_catalog, ' || coalesce((SELECT quote_ident(n.nspname)
    FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
    WHERE e.extname = 'vector') || ', ', '') || 'pg_temp', true);
SET LOCAL check_function_bodies = off;
