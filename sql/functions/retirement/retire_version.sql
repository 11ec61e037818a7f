-- Retires one version that is due: drops its pinned view, leaf, index, work items and grants. The catalog row and the
-- events stay. A collection can keep the leaf instead (pgvec.set_retirement): it moves to schema pgvec_archive.
-- Promises: never the active version, never the last live one, never before retire_at, never one that is held, is still
-- read, or feeds another version. Nobody waits behind it longer than lock_timeout a try.
-- Returns 'retired', or why the version stays: a reason of pgvec.refuse_retirement, 'rolled back' (while it waited),
-- 'locked', 'not permitted' or 'failed'. Writes a new reason to pgvec.version_event.
-- Arguments:
--   lock_timeout     how long one try waits for its locks
--   ignore_readers   retires a version that is still read
-- Raises: PV001, PV002, PV007 (isolation level, argument).
CREATE OR REPLACE FUNCTION pgvec.retire_version(collection text, model_version text,
                                                lock_timeout interval DEFAULT '200 ms', attempts integer DEFAULT 5,
                                                ignore_readers boolean DEFAULT false)
RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old_timeout CONSTANT text := current_setting('lock_timeout');
    v CONSTANT pgvec.model_version := pgvec.get_version(collection, model_version);
    outcome text;
    detail text;
    in_the_way integer[];
BEGIN
    PERFORM pgvec.check_patience(lock_timeout, attempts);
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        PERFORM pgvec.raise_error('PV007',
            'retire_version needs READ COMMITTED: an older snapshot cannot show that nothing waits to be carried.',
            jsonb_build_object('isolation', current_setting('transaction_isolation')),
            'CALL pgvec.retire_due() outside a transaction.');
    END IF;
    -- Asks without a lock first, so that a version that stays holds nobody up.
    SELECT r.reason, r.detail INTO outcome, detail
      FROM pgvec.refuse_retirement(collection, model_version, ignore_readers) r;
    FOR attempt IN 1 .. attempts LOOP
        EXIT WHEN outcome IS NOT NULL;
        SELECT t.outcome, t.detail INTO outcome, detail
          FROM pgvec.try_retirement(collection, model_version, lock_timeout, ignore_readers) t;
        EXIT WHEN outcome IS NOT NULL;
        in_the_way := pgvec.lock_holders(ARRAY[to_regclass(format('pgvec_leaves.%I', v.leaf)),
                                               pgvec.chunk_table(collection), v.pinned_relation]);
        PERFORM pgvec.say_waiting('retire', format('%s of %s', v.model_version, collection), in_the_way, attempt,
                                  attempts);
        PERFORM pgvec.back_off(attempt);
    END LOOP;
    IF outcome IS NULL THEN
        outcome := 'locked';
        detail := 'by process ' || nullif(array_to_string(in_the_way, ', '), '');
    ELSIF outcome = 'active' AND v.state <> 'active' THEN
        outcome := 'rolled back';
    END IF;
    PERFORM set_config('lock_timeout', old_timeout, true);
    IF outcome <> 'retired' THEN
        PERFORM pgvec.log_retire_refusal(collection, model_version, outcome, detail);
    END IF;
    RETURN outcome;
END
$$;
