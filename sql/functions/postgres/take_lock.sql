-- Locks one relation, not its partitions, for the rest of the transaction. Nobody waits behind it longer than the
-- lock_timeout that is set, or 10 s where none is.
-- Arguments:
--   mode   SHARE ROW EXCLUSIVE or ACCESS EXCLUSIVE
-- Raises: 55P03 (DETAIL has the processes whose locks are in the way).
CREATE OR REPLACE FUNCTION pgvec.take_lock(collection text, relation regclass, mode text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old_timeout CONSTANT text := pgvec.default_lock_wait();
    in_the_way CONSTANT text[] := CASE WHEN mode <> 'ACCESS EXCLUSIVE' THEN
        '{RowExclusiveLock,ShareUpdateExclusiveLock,ShareLock,'
        'ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}' END;
    holders integer[];
BEGIN
    BEGIN
        EXECUTE format('LOCK TABLE ONLY %s IN %s MODE', relation, mode);
    EXCEPTION WHEN lock_not_available THEN
        holders := pgvec.lock_holders(ARRAY[relation], in_the_way);
        PERFORM pgvec.raise_error('55P03',
            format('no lock on %s in time: process %s has it.', relation,
                   coalesce(nullif(array_to_string(holders, ', '), ''), 'that just ended')),
            jsonb_build_object('collection', collection, 'processes', holders),
            'Nothing was changed. Look for it in pg_stat_activity, end its transaction, or call again.');
    END;
    PERFORM set_config('lock_timeout', old_timeout, true);
END
$$;
