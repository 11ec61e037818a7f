-- Keeps writers out for the rest of the transaction, and waits for those that are writing. Readers
-- go on. Only the chunk table itself is locked, not its leaves, so workers go on too.
-- Promise: nobody waits behind this longer than the lock_timeout in force, or 10 s where none is.
-- Raises PV001, PV007 (no chunk table), 55P03 (DETAIL holds the processes that have the lock).
CREATE OR REPLACE FUNCTION pgvec.lock_chunk_table(collection text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgvec.take_lock(collection, pgvec.chunk_table(collection), 'SHARE ROW EXCLUSIVE');
END
$$;
