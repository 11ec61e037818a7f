-- Runs first: creates the extension vector, unless it is there. It waits for another session that is creating it, for
-- at most 10 s unless a lock_timeout is in force.
-- Raises: 42501 (this role may not create it), PV007 (there is no schema to create it in), 55P03.
DO $$
DECLARE
    in_force CONSTANT text := pg_catalog.current_setting('lock_timeout');
BEGIN
    IF in_force = '0' THEN
        PERFORM pg_catalog.set_config('lock_timeout', '10s', true);
    END IF;
    BEGIN
        CREATE EXTENSION IF NOT EXISTS vector;
    EXCEPTION
        WHEN unique_violation OR duplicate_object THEN
            NULL;
        WHEN insufficient_privilege THEN
            RAISE EXCEPTION 'extension vector is not in this database, and role % may not create it.', CURRENT_USER
                USING ERRCODE = '42501',
                      DETAIL = pg_catalog.jsonb_build_object('extension', 'vector', 'role', CURRENT_USER)::text,
                      HINT = pg_catalog.format('Ask a superuser of the server to run in database %I: '
                                               'CREATE EXTENSION vector;',
                                               pg_catalog.current_database());
        WHEN invalid_schema_name THEN
            RAISE EXCEPTION 'extension vector is not in this database, and the search_path of role % names no schema '
                            'to create it in.', CURRENT_USER
                USING ERRCODE = 'PV007',
                      DETAIL = pg_catalog.jsonb_build_object('extension', 'vector', 'role', CURRENT_USER)::text,
                      HINT = pg_catalog.format('Ask a superuser of the server to run in database %I: '
                                               'CREATE EXTENSION vector SCHEMA public;', pg_catalog.current_database());
        WHEN lock_not_available THEN
            RAISE EXCEPTION 'another session is creating extension vector and has not ended its transaction.'
                USING ERRCODE = '55P03', HINT = 'Nothing was changed. Look for it in pg_stat_activity, or try again.';
    END;
    PERFORM pg_catalog.set_config('lock_timeout', in_force, true);
END
$$;
