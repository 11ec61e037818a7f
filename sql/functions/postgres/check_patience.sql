-- Checks how long a verb may wait for its locks: lock_timeout is more than 0 and at most a day, so that the setting of
-- that name can hold it, and attempts is 1 or more.
-- Raises: PV007.
CREATE OR REPLACE FUNCTION pgvec.check_patience(lock_timeout interval, attempts integer)
RETURNS void LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF lock_timeout IS NULL OR lock_timeout <= interval '0' OR attempts IS NULL OR attempts < 1 THEN
        PERFORM pgvec.raise_error('PV007', 'lock_timeout must be more than 0 and attempts 1 or more.',
            jsonb_build_object('lock_timeout', lock_timeout::text, 'attempts', attempts));
    END IF;
    PERFORM pgvec.check_interval('lock_timeout', lock_timeout, highest => '1 day');
END
$$;
