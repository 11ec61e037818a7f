-- Keeps writers out for the rest of the transaction, and waits for those that are writing. Readers
-- go on. Only the chunk table itself is locked, not its leaves, so workers go on too.
-- Promise: nobody waits behind this longer than the lock_timeout in force, or 10 s where none is.
-- Raises PV001, PV007 (no chunk table), 55P03 (DETAIL holds the processes that have the lock).
CREATE OR REPLACE FUNCTION pgvec.lock_chunk_table(collection text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    chunks CONSTANT regclass := pgvec.chunk_table(collection);
    old_timeout CONSTANT text := pgvec.default_lock_wait();
    holders integer[];
BEGIN
    BEGIN
        EXECUTE format('LOCK TABLE ONLY %s IN SHARE ROW EXCLUSIVE MODE', chunks);
    EXCEPTION WHEN lock_not_available THEN
        holders := pgvec.lock_holders(ARRAY[chunks], '{RowExclusiveLock,ShareUpdateExclusiveLock,ShareLock,'
                                                     'ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}');
        PERFORM pgvec.raise_error('55P03',
            format('no lock on %s in time: process %s has it.', chunks, coalesce(nullif(array_to_string(holders, ', '), ''), 'that just ended')),
            jsonb_build_object('collection', collection, 'processes', holders),
            'Nothing was changed. Look for it in pg_stat_activity, end its transaction, or call again.');
    END;
    PERFORM set_config('lock_timeout', old_timeout, true);
END
$$;
