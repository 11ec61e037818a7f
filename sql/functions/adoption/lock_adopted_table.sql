-- For the swaps of an adoption: locks the table, and those whose foreign keys point to it, so that nobody uses them.
-- Raises: 55P03 (DETAIL has the processes that are in the way).
CREATE OR REPLACE FUNCTION pgvec.lock_adopted_table(a pgvec.adoption)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    relation regclass;
BEGIN
    FOR relation IN
        SELECT a.source
        UNION ALL
        (SELECT DISTINCT k.conrelid::regclass FROM pg_catalog.pg_constraint k
          WHERE k.confrelid = a.source AND k.contype = 'f' AND k.conrelid <> a.source ORDER BY 1)
    LOOP
        PERFORM pgvec.take_lock(a.collection, relation, 'ACCESS EXCLUSIVE');
    END LOOP;
END
$$;
