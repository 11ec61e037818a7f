-- The job: retires every version that is due, one transaction each, and leaves a row in pgvec.retirement_run. Safe to call
-- every minute for ever: a second caller leaves at once, a standby does nothing, a version that cannot go yet waits for
-- the next time, and what the job itself leaves behind is pruned.
-- dry_run: changes nothing, says as notices what would go and how many bytes (as rows: pgvec.retirement_plan).
-- ignore_readers: a version that is still read goes too.
-- Must be called outside a transaction block (it commits). Raises PV007 (argument), 2D000 inside one; 42501 for a role that may not.
CREATE OR REPLACE PROCEDURE pgvec.retire_due(lock_timeout interval DEFAULT '200 ms', attempts integer DEFAULT 5,
                                             dry_run boolean DEFAULT false, ignore_readers boolean DEFAULT false)
LANGUAGE plpgsql AS $$
DECLARE
    old_path CONSTANT text := pg_catalog.current_setting('search_path');
    due record;
    run bigint;
    became text;
    said jsonb;
    alone boolean;
    failed boolean := false;
    rows_pruned bigint := 0;
BEGIN
    -- It commits, so it cannot carry SET: each transaction of it begins with this line, before anything is looked up.
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
    IF alone THEN
        IF current_setting('server_version_num')::integer < 160000 THEN
            PERFORM pgvec.look_at_reads();
        END IF;
        FOR due IN
            SELECT v.collection, v.model_version FROM pgvec.model_version v
             WHERE v.state IN ('draining', 'abandoned') AND v.dropped_at IS NULL AND v.retire_at <= clock_timestamp()
             ORDER BY v.retire_at
        LOOP
            -- A write that commits while a lock is waited for must be seen, whatever the session's default is.
            COMMIT;
            SET LOCAL search_path = pg_catalog, pg_temp;
            SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
            -- The lock ends with each COMMIT, so it is asked for again each time.
            PERFORM FROM pgvec.retirement_lock FOR UPDATE SKIP LOCKED;
            alone := FOUND;
            EXIT WHEN NOT alone;
            became := pgvec.retire_version(due.collection, due.model_version, retire_due.lock_timeout, retire_due.attempts, retire_due.ignore_readers);
            IF became = 'active' THEN
                became := 'rolled back';
            END IF;
            RAISE NOTICE 'version % of %: %', due.model_version, due.collection, became;
            failed := failed OR became IN ('broken', 'not permitted', 'failed');
            -- Whatever the newest event says, and if there is none: it never stops the job, nor speaks for it.
            said := coalesce((SELECT e.detail - 'reason' FROM pgvec.version_event e
                               WHERE e.collection = due.collection AND e.model_version = due.model_version
                                 AND e.verb IN ('retire', 'retire_refused') AND jsonb_typeof(e.detail) = 'object'
                               ORDER BY e.event_id DESC LIMIT 1), '{}')
                 || jsonb_build_object('collection', due.collection, 'model_version', due.model_version, 'outcome', became);
            UPDATE pgvec.retirement_run r
               SET did = CASE WHEN became = 'retired' THEN r.did || jsonb_build_array(said) ELSE r.did END,
                   refused = CASE WHEN became = 'retired' THEN r.refused ELSE r.refused || jsonb_build_array(said) END
             WHERE r.run_id = run;
            COMMIT;
            SET LOCAL search_path = pg_catalog, pg_temp;
        END LOOP;
    END IF;
    COMMIT;
    SET LOCAL search_path = pg_catalog, pg_temp;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    IF alone THEN
        rows_pruned := pgvec.prune_retirement(run);
    END IF;
    UPDATE pgvec.retirement_run r
       SET ended_at = clock_timestamp(), pruned = rows_pruned,
           outcome = CASE WHEN NOT alone THEN 'left to another run' WHEN failed THEN 'failed' ELSE 'succeeded' END
     WHERE r.run_id = run;
    COMMIT;
END
$$;
