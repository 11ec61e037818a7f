-- Where no lock_timeout is in force, waits for locks in the rest of this transaction end after 10 s: whoever may use a
-- table's schema can hold a weak lock on it for as long as he likes, and writers would queue behind the one that waits.
-- Returns the setting that was in force; the caller puts it back when it has its lock.
CREATE OR REPLACE FUNCTION pgvec.default_lock_wait()
RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    in_force CONSTANT text := current_setting('lock_timeout');
BEGIN
    IF in_force = '0' THEN
        PERFORM set_config('lock_timeout', '10s', true);
    END IF;
    RETURN in_force;
END
$$;
