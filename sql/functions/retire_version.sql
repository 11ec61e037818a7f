-- Drops one due version: pinned view, leaf, index, work items; the catalog row and the events stay.
-- Promise: never the active version, never the last live one, never before retire_at, never while chunks written
-- through it still wait to be carried to another version. Nobody waits behind it longer than lock_timeout a try.
-- Returns 'retired', or the reason why not: 'not due', 'active', 'last', 'feeding', 'in use',
-- 'broken' (the chunk table was dropped or renamed by hand), 'locked'. Raises PV001, PV002, PV007 (isolation).
CREATE OR REPLACE FUNCTION pgvec.retire_version(collection text, model_version text, lock_timeout interval DEFAULT '200 ms', attempts integer DEFAULT 5)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    old_timeout text := current_setting('lock_timeout');
    v pgvec.model_version;
    bytes bigint;
    outcome text;
    reason text;
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        PERFORM pgvec.raise_error('PV007', 'retire_version needs READ COMMITTED: an older snapshot cannot show that nothing waits to be carried.',
            jsonb_build_object('isolation', current_setting('transaction_isolation')), 'CALL pgvec.retire_due() outside a transaction.');
    END IF;
    FOR attempt IN 1 .. attempts LOOP
        outcome := NULL;
        BEGIN
            PERFORM set_config('lock_timeout', ceil(extract(epoch FROM retire_version.lock_timeout) * 1000)::bigint::text, true);
            -- The strongest lock first: writers that are under way have then left their work items behind.
            EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', pgvec.chunk_table(collection));
            PERFORM FROM pgvec.collection c WHERE c.collection = retire_version.collection FOR UPDATE;
            v := pgvec.get_version(collection, model_version);
            outcome := CASE
                WHEN v.state = 'active' THEN 'active'
                WHEN v.state NOT IN ('draining', 'abandoned') OR v.dropped_at IS NOT NULL OR v.retire_at IS NULL OR v.retire_at > clock_timestamp() THEN 'not due'
                WHEN v.state = 'draining' AND pgvec.active_version(collection) IS NULL THEN 'last'
                WHEN EXISTS (SELECT FROM pgvec.work_item w WHERE w.collection = v.collection AND w.source_version = v.model_version) THEN 'feeding'
            END;
            IF outcome IS NULL THEN
                -- A writer with an older snapshot would look for the leaf that is gone: 40001 lets it go again.
                UPDATE pgvec.collection c SET epoch = c.epoch + 1 WHERE c.collection = v.collection;
                bytes := pg_total_relation_size(to_regclass(format('pgvec_leaves.%I', v.leaf)));
                PERFORM pgvec.drop_pinned_view(collection, model_version);
                EXECUTE format('DROP TABLE IF EXISTS pgvec_leaves.%I', v.leaf);
                DELETE FROM pgvec.work_item w WHERE w.collection = v.collection AND w.model_version = v.model_version;
                IF v.state = 'draining' THEN
                    PERFORM pgvec.change_state(collection, model_version, 'retire', '{draining}', 'retired', jsonb_build_object('bytes', bytes));
                ELSE
                    UPDATE pgvec.model_version k SET dropped_at = clock_timestamp() WHERE k.collection = v.collection AND k.model_version = v.model_version;
                    PERFORM pgvec.log_event(collection, model_version, 'retire', 'abandoned', 'abandoned', jsonb_build_object('bytes', bytes));
                END IF;
                outcome := 'retired';
            END IF;
        EXCEPTION
            WHEN lock_not_available OR deadlock_detected THEN
                outcome := NULL;
            WHEN dependent_objects_still_exist THEN
                outcome := 'in use';
                GET STACKED DIAGNOSTICS reason = PG_EXCEPTION_DETAIL;
            WHEN SQLSTATE 'PV007' THEN
                outcome := 'broken';
                GET STACKED DIAGNOSTICS reason = MESSAGE_TEXT;
        END;
        EXIT WHEN outcome IS NOT NULL;
        PERFORM pgvec.back_off(attempt);
    END LOOP;
    outcome := coalesce(outcome, 'locked');
    PERFORM set_config('lock_timeout', old_timeout, true);
    -- A job that runs every minute says the same thing once.
    IF outcome NOT IN ('retired', 'not due')
       AND (SELECT e.detail ->> 'reason' FROM pgvec.version_event e
             WHERE e.collection = retire_version.collection AND e.model_version = retire_version.model_version
             ORDER BY e.event_id DESC LIMIT 1) IS DISTINCT FROM outcome THEN
        PERFORM pgvec.log_event(collection, model_version, 'retire_refused', NULL, NULL, jsonb_strip_nulls(jsonb_build_object('reason', outcome, 'detail', reason)));
    END IF;
    RETURN outcome;
END
$$;
