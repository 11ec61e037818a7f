-- Keeps writers out for the rest of the transaction, and waits for those that are writing. Readers
-- go on. Only the chunk table itself is locked, not its leaves, so workers go on too.
-- Promise: nobody waits behind this longer than the lock_timeout in force. Raises 55P03.
CREATE OR REPLACE FUNCTION pgvec.lock_chunk_table(collection text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('LOCK TABLE ONLY %s IN SHARE ROW EXCLUSIVE MODE', pgvec.chunk_table(collection));
END
$$;
