-- Limits waits for locks in the rest of this transaction to 10 s, if no lock_timeout is set. Returns the setting from
-- before; the caller restores it when it has its lock.
-- Why: a role that can use the schema of a table can hold a weak lock on the table for as long as it likes, and writers
-- would queue behind the session that waits for a stronger one.
CREATE OR REPLACE FUNCTION pgvec.default_lock_wait()
RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old_timeout CONSTANT text := current_setting('lock_timeout');
BEGIN
    IF old_timeout = '0' THEN
        PERFORM set_config('lock_timeout', '10s', true);
    END IF;
    RETURN old_timeout;
END
$$;
