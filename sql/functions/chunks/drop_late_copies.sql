-- Deletes copies in the filled version whose chunk was deleted after they were read: the active version does not hold
-- it, and the row, or the transaction that inserts it, is older than the delete. This is the one place that compares
-- clock times, with the start of this transaction, because a transaction draws no turn when it starts.
CREATE OR REPLACE FUNCTION pgvec.drop_late_copies(c pgvec.collection, active pgvec.model_version,
                                                  filled pgvec.model_version, chunk_ids text[])
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format($q$
        DELETE FROM pgvec_leaves.%1$I t USING pgvec.tombstone d
         WHERE t.chunk_id = ANY ($1::%3$s[]) AND d.collection = $2 AND d.chunk_id = t.chunk_id::text
           AND (t.turn <= d.turn OR least(t.written_at, transaction_timestamp()) <= d.deleted_at)
           AND NOT EXISTS (SELECT FROM pgvec_leaves.%2$I s WHERE s.chunk_id = t.chunk_id)
    $q$, filled.leaf, active.leaf, c.id_type) USING chunk_ids, c.collection;
END
$$;
