-- Runs first: creates the extension vector, unless it is there. It waits for another session that is creating it, for
-- at most 10 s unless a lock_timeout is in force.
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
            RAISE EXCEPTION 'another session is creating extension vector and has not ended its transaction.'
                USING ERRCODE = '55P03', HINT = 'Nothing was changed. Look for it in pg_stat_activity, or try again.';
    END;
    PERFORM pg_catalog.set_config('lock_timeout', in_force, true);
END
$$;
