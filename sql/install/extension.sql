-- Before anything is looked up: pgvector in the database. Another session that puts it there at this moment is waited
-- for, 10 s at most where no lock_timeout is in force, and then it is there.
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
        WHEN lock_not_available THEN
            RAISE EXCEPTION 'another session is creating the extension vector and does not end its transaction.'
                USING ERRCODE = '55P03', HINT = 'Nothing was changed. Look for it in pg_stat_activity, or try again.';
    END;
    PERFORM pg_catalog.set_config('lock_timeout', in_force, true);
END
$$;
