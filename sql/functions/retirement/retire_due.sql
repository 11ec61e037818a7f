-- The job: retires every version that is due, each in its own transaction, and leaves a row in pgvec.retirement_run.
-- You can call it every minute, for ever: a second caller leaves at once, a standby does nothing, a version that cannot
-- go yet waits for the next run, and the job deletes what would pile up (pgvec.prune_retirement).
-- Call it outside a transaction block: it commits.
-- Arguments:
--   lock_timeout, attempts   how long one try for a version's locks waits, and how many tries it makes
--   dry_run                  changes nothing; notices say what would go, and its bytes (as rows: pgvec.retirement_plan)
--   ignore_readers           retires a version that is still read
-- Raises: PV007 (argument), 2D000 inside a transaction block, 42501 for a role without the rights.
CREATE OR REPLACE PROCEDURE pgvec.retire_due(lock_timeout interval DEFAULT '200 ms', attempts integer DEFAULT 5,
                                             dry_run boolean DEFAULT false, ignore_readers boolean DEFAULT false)
LANGUAGE plpgsql AS $$
DECLARE
    old_path CONSTANT text := pg_catalog.current_setting('search_path');
    due record;
    run bigint;
    outcome text;
    alone boolean;
    failed boolean := false;
BEGIN
    -- A procedure that commits cannot have SET search_path, so each of its transactions begins with this line.
    SET LOCAL search_path = pg_catalog, pg_temp;
    IF pg_is_in_recovery() THEN
        RETURN;
    END IF;
    PERFORM pgvec.check_patience(retire_due.lock_timeout, retire_due.attempts);
    IF retire_due.dry_run THEN
        FOR due IN SELECT p.* FROM pgvec.retirement_plan(ignore_readers => retire_due.ignore_readers) p LOOP
            RAISE NOTICE 'version % of %: %, % bytes', due.model_version, due.collection, due.outcome, due.bytes;
        END LOOP;
        PERFORM set_config('search_path', old_path, true);
        RETURN;
    END IF;
    COMMIT;
    SET LOCAL search_path = pg_catalog, pg_temp;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    INSERT INTO pgvec.retirement_run DEFAULT VALUES RETURNING run_id INTO run;
    PERFORM FROM pgvec.retirement_lock FOR UPDATE SKIP LOCKED;
    alone := FOUND;
    IF alone AND current_setting('server_version_num')::integer < 160000 THEN
        PERFORM pgvec.record_searches();
    END IF;
    FOR due IN
        SELECT v.collection, v.model_version
          FROM pgvec.model_version v
         WHERE alone AND v.state IN ('draining', 'abandoned') AND v.dropped_at IS NULL
           AND v.retire_at <= clock_timestamp()
         ORDER BY v.retire_at
    LOOP
        COMMIT;
        SET LOCAL search_path = pg_catalog, pg_temp;
        -- A write that commits while this waits for a lock must be seen, whatever the session's default is.
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        -- Each COMMIT releases the lock, so each version takes it again.
        PERFORM FROM pgvec.retirement_lock FOR UPDATE SKIP LOCKED;
        alone := FOUND;
        EXIT WHEN NOT alone;
        outcome := pgvec.retire_in_run(run, due.collection, due.model_version, retire_due.lock_timeout,
                                       retire_due.attempts, retire_due.ignore_readers);
        failed := failed OR outcome IN ('broken', 'not permitted', 'failed');
        COMMIT;
        SET LOCAL search_path = pg_catalog, pg_temp;
    END LOOP;
    COMMIT;
    SET LOCAL search_path = pg_catalog, pg_temp;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    PERFORM pgvec.end_run(run, alone, failed);
    COMMIT;
END
$$;
