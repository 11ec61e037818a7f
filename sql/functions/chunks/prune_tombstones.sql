-- Forgets deletes that can hold nothing back any more: all of a collection of which one leaf stands; else those
-- older than keep, after every transaction that ran beside them has ended, of chunks that no work item is open for, while
-- every live version follows (what one that stopped following still holds of a deleted chunk has no work item).
-- Returns how many. Raises PV001, PV007.
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
       AND ((SELECT count(*) FROM pgvec.model_version v WHERE v.collection = c.collection AND v.dropped_at IS NULL) < 2
            OR (d.deleted_at < clock_timestamp() - keep
                AND NOT EXISTS (SELECT FROM pgvec.model_version v WHERE v.collection = c.collection AND v.dropped_at IS NULL AND NOT v.follows)
                AND NOT EXISTS (SELECT FROM pgvec.work_item w WHERE w.collection = c.collection AND w.lo = d.chunk_id AND w.hi = d.chunk_id)
                AND NOT EXISTS (SELECT FROM pgvec.work_item w WHERE w.collection = c.collection AND w.lo <> w.hi)));
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    RETURN forgotten;
END
$$;
