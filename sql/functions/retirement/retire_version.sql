-- Retires one due version: pinned view, leaf, index, work items and grants go; the catalog row and the events stay.
-- A collection may keep the leaf instead (pgvec.set_retirement): it is then detached into schema pgvec_archive.
-- Promise: never the active version, never the last live one, never before retire_at, never one that is held, is still
-- read, or whose chunks still wait to be carried. Nobody waits behind it longer than lock_timeout a try.
-- Returns 'retired', or the reason why not: one of pgvec.refuse_retirement, or 'rolled back' (meanwhile), 'in use'
-- (something of the host's depends on it), 'locked', 'broken' (the chunk table was dropped or renamed by hand), 'not
-- permitted', 'failed'. A reason is recorded in pgvec.version_event when it is new.
-- ignore_readers: it goes though it is still read. Raises PV001, PV002, PV007 (isolation, argument).
CREATE OR REPLACE FUNCTION pgvec.retire_version(collection text, model_version text, lock_timeout interval DEFAULT '200 ms', attempts integer DEFAULT 5,
                                                ignore_readers boolean DEFAULT false)
RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old_timeout text := current_setting('lock_timeout');
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    was CONSTANT text := v.state;
    on_retire text;
    deadline timestamptz;
    bytes bigint;
    outcome text;
    detail text;
BEGIN
    PERFORM pgvec.check_patience(lock_timeout, attempts);
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        PERFORM pgvec.raise_error('PV007', 'retire_version needs READ COMMITTED: an older snapshot cannot show that nothing waits to be carried.',
            jsonb_build_object('isolation', current_setting('transaction_isolation')), 'CALL pgvec.retire_due() outside a transaction.');
    END IF;
    -- First without a lock: a version that stays holds nobody up.
    SELECT r.reason, r.detail INTO outcome, detail FROM pgvec.refuse_retirement(collection, model_version, ignore_readers) r;
    FOR attempt IN 1 .. attempts LOOP
        EXIT WHEN outcome IS NOT NULL;
        BEGIN
            deadline := clock_timestamp() + retire_version.lock_timeout;
            PERFORM pgvec.limit_lock_wait(deadline);
            -- The strongest lock first: writers that are under way have then left their work items behind.
            EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', pgvec.chunk_table(collection));
            PERFORM pgvec.limit_lock_wait(deadline);
            PERFORM FROM pgvec.collection c WHERE c.collection = retire_version.collection FOR UPDATE;
            SELECT r.reason, r.detail INTO outcome, detail FROM pgvec.refuse_retirement(collection, model_version, ignore_readers) r;
            IF outcome IS NULL THEN
                v := pgvec.get_version(collection, model_version);
                on_retire := CASE WHEN v.state = 'draining' AND to_regclass(format('pgvec_leaves.%I', v.leaf)) IS NOT NULL
                                  THEN (pgvec.retirement_wishes(collection)).on_retire ELSE 'drop' END;
                -- A writer with an older snapshot would look for the leaf that is gone: 40001 lets it go again.
                UPDATE pgvec.collection c SET epoch = c.epoch + 1 WHERE c.collection = v.collection;
                bytes := pg_total_relation_size(to_regclass(format('pgvec_leaves.%I', v.leaf)));
                PERFORM pgvec.limit_lock_wait(deadline);
                PERFORM pgvec.drop_pinned_view(collection, model_version);
                PERFORM pgvec.limit_lock_wait(deadline);
                IF on_retire = 'archive' THEN
                    PERFORM pgvec.archive_leaf(collection, model_version);
                ELSE
                    EXECUTE format('DROP TABLE IF EXISTS pgvec_leaves.%I', v.leaf);
                END IF;
                PERFORM pgvec.limit_lock_wait(deadline);
                DELETE FROM pgvec.work_item w WHERE w.collection = v.collection AND w.model_version = v.model_version;
                DELETE FROM pgvec.leaf_reads r WHERE r.collection = v.collection AND r.model_version = v.model_version;
                IF v.state = 'draining' THEN
                    PERFORM pgvec.change_state(collection, model_version, 'retire', 'retired',
                        jsonb_build_object('bytes', bytes, 'on_retire', on_retire));
                ELSE
                    UPDATE pgvec.model_version k SET dropped_at = clock_timestamp() WHERE k.collection = v.collection AND k.model_version = v.model_version;
                    PERFORM pgvec.log_event(collection, model_version, 'retire', 'abandoned', 'abandoned', jsonb_build_object('bytes', bytes, 'on_retire', on_retire));
                END IF;
                outcome := 'retired';
            END IF;
        EXCEPTION
            WHEN lock_not_available OR deadlock_detected THEN
                outcome := NULL;
            WHEN dependent_objects_still_exist OR foreign_key_violation THEN
                outcome := 'in use';
                GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
            WHEN SQLSTATE 'PV007' THEN
                outcome := 'broken';
                detail := SQLERRM;
            WHEN insufficient_privilege THEN
                outcome := 'not permitted';
                detail := SQLERRM;
            WHEN OTHERS THEN
                outcome := 'failed';
                detail := format('%s: %s', SQLSTATE, SQLERRM);
        END;
        EXIT WHEN outcome IS NOT NULL;
        PERFORM pgvec.back_off(attempt);
    END LOOP;
    IF outcome IS NULL THEN
        outcome := 'locked';
        detail := 'by process ' || nullif(array_to_string(pgvec.lock_holders(
            ARRAY[to_regclass(format('pgvec_leaves.%I', v.leaf)), pgvec.chunk_table(collection),
                  v.pinned_relation]), ', '), '');
    ELSIF outcome = 'active' AND was <> 'active' THEN
        outcome := 'rolled back';
    END IF;
    PERFORM set_config('lock_timeout', old_timeout, true);
    -- A job that runs every minute says the same thing once.
    IF outcome <> 'retired'
       AND (SELECT CASE jsonb_typeof(e.detail) WHEN 'object' THEN e.detail ->> 'reason' END FROM pgvec.version_event e
             WHERE e.collection = retire_version.collection AND e.model_version = retire_version.model_version
             ORDER BY e.event_id DESC LIMIT 1) IS DISTINCT FROM outcome THEN
        PERFORM pgvec.log_event(collection, model_version, 'retire_refused', NULL, NULL, jsonb_strip_nulls(jsonb_build_object('reason', outcome, 'detail', detail)));
    END IF;
    RETURN outcome;
END
$$;
