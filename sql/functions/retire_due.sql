-- The job: retires every version that is due, one transaction each. Safe to call every minute for ever:
-- a second caller leaves at once, a standby does nothing, a version that cannot go yet waits for the next time.
-- Must be called outside a transaction block (it commits). Raises 2D000 inside one.
CREATE OR REPLACE PROCEDURE pgvec.retire_due(lock_timeout interval DEFAULT '200 ms', attempts integer DEFAULT 5)
LANGUAGE plpgsql AS $$
DECLARE
    due record;
    outcome text;
BEGIN
    IF pg_is_in_recovery() THEN
        RETURN;
    END IF;
    FOR due IN
        SELECT v.collection, v.model_version FROM pgvec.model_version v
         WHERE v.state IN ('draining', 'abandoned') AND v.dropped_at IS NULL AND v.retire_at <= clock_timestamp()
         ORDER BY v.retire_at
    LOOP
        -- A write that commits while a lock is waited for must be seen, whatever the session's default is.
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        -- The lock ends with each COMMIT, so it is asked for again each time.
        IF NOT pg_try_advisory_xact_lock(pgvec.build_lock_class() + 2, 0) THEN
            RETURN;
        END IF;
        outcome := pgvec.retire_version(due.collection, due.model_version, retire_due.lock_timeout, retire_due.attempts);
        RAISE NOTICE 'version % of %: %', due.model_version, due.collection, outcome;
        COMMIT;
    END LOOP;
    PERFORM pgvec.prune_tombstones(c.collection) FROM pgvec.collection c;
END
$$;
