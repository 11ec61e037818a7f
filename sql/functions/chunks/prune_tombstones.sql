-- Forgets the deletes that are no longer needed, and returns how many.
-- With one leaf left, these are all deletes of the collection. Otherwise a delete is forgotten when it is older than
-- keep, no work item is open for its chunk, and every live version follows: what a version that stopped following still
-- holds of a deleted chunk has no work item. Always, every transaction that ran at the same time must have ended.
-- Raises: PV001, PV007.
CREATE OR REPLACE FUNCTION pgvec.prune_tombstones(collection text, keep interval DEFAULT '1 day')
RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    forgotten bigint;
BEGIN
    PERFORM pgvec.check_interval('keep', keep);
    DELETE FROM pgvec.tombstone d
     WHERE d.collection = c.collection
       AND d.deleted_in < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
       AND ((SELECT count(*) FROM pgvec.model_version v
              WHERE v.collection = c.collection AND v.dropped_at IS NULL) < 2
            OR (d.deleted_at < clock_timestamp() - keep
                AND NOT EXISTS (SELECT FROM pgvec.model_version v
                                 WHERE v.collection = c.collection AND v.dropped_at IS NULL AND NOT v.follows)
                AND NOT EXISTS (SELECT FROM pgvec.work_item w
                                 WHERE w.collection = c.collection AND w.lo = d.chunk_id AND w.hi = d.chunk_id)
                AND NOT EXISTS (SELECT FROM pgvec.work_item w
                                 WHERE w.collection = c.collection AND w.lo <> w.hi)));
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    RETURN forgotten;
END
$$;
