-- Takes copies in version v away whose chunk was deleted since they were read: version a does not hold it, and the row,
-- or the transaction that inserts it, is from before the delete. The one place that looks at a clock: at when this
-- transaction began, because no turn is drawn for that.
CREATE OR REPLACE FUNCTION pgvec.drop_late_copies(c pgvec.collection, a pgvec.model_version, v pgvec.model_version,
                                                  chunk_ids text[])
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format($q$
        DELETE FROM pgvec_leaves.%1$I t USING pgvec.tombstone d
         WHERE t.chunk_id = ANY ($1::%3$s[]) AND d.collection = $2 AND d.chunk_id = t.chunk_id::text
           AND (t.turn <= d.turn OR least(t.written_at, transaction_timestamp()) <= d.deleted_at)
           AND NOT EXISTS (SELECT FROM pgvec_leaves.%2$I s WHERE s.chunk_id = t.chunk_id)
    $q$, v.leaf, a.leaf, c.id_type) USING chunk_ids, c.collection;
END
$$;
