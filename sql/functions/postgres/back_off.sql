-- Sleeps before the next try for a lock: 20 ms, doubled with each try up to 1 s, with jitter, so that two sessions do
-- not collide again. Call it outside the block that held the locks.
CREATE OR REPLACE FUNCTION pgvec.back_off(attempt integer)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_sleep(least(1.0, 0.02 * 2 ^ least(attempt, 10)) * (0.5 + random() / 2));
END
$$;
