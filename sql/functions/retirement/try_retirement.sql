-- One try of pgvec.retire_version: takes the locks, asks pgvec.refuse_retirement again, and retires the version.
-- Returns 'retired', or why the version stays, with a detail. An outcome of NULL means: locked, try again. A try that
-- did not retire the version changes nothing, and it raises no error.
-- Arguments:
--   lock_timeout   how long the try waits for all its locks together
CREATE OR REPLACE FUNCTION pgvec.try_retirement(collection text, model_version text, lock_timeout interval,
                                                ignore_readers boolean, OUT outcome text, OUT detail text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    deadline CONSTANT timestamptz := clock_timestamp() + try_retirement.lock_timeout;
BEGIN
    PERFORM pgvec.limit_lock_wait(deadline);
    -- The strongest lock first: once it is held, every writer has committed, and its work items can be seen.
    EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', pgvec.chunk_table(collection));
    PERFORM pgvec.limit_lock_wait(deadline);
    PERFORM FROM pgvec.collection c WHERE c.collection = try_retirement.collection FOR UPDATE;
    SELECT r.reason, r.detail INTO outcome, detail
      FROM pgvec.refuse_retirement(collection, model_version, ignore_readers) r;
    IF outcome IS NULL THEN
        PERFORM pgvec.remove_version(pgvec.get_version(collection, model_version), deadline);
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
END
$$;
