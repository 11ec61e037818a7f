-- Keeps writers out for the rest of the transaction, after it has waited for those that are writing. Readers go on.
-- It locks only the chunk table itself and the intake of an adopted version, not the leaves, so workers go on too.
-- Nobody waits behind it longer than the lock_timeout that is set, or 10 s where none is.
-- Raises: PV001, PV007 (the chunk table is lost), 55P03 (DETAIL has the processes that hold the lock).
CREATE OR REPLACE FUNCTION pgvec.lock_chunk_table(collection text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    intake CONSTANT regclass := (SELECT r.oid FROM pgvec.adoption a JOIN pg_catalog.pg_class r ON r.oid = a.intake
                                  WHERE a.collection = lock_chunk_table.collection);
BEGIN
    PERFORM pgvec.take_lock(collection, pgvec.chunk_table(collection), 'SHARE ROW EXCLUSIVE');
    IF intake IS NOT NULL THEN
        PERFORM pgvec.take_lock(collection, intake, 'SHARE ROW EXCLUSIVE');
    END IF;
END
$$;
