-- The intervals of claimed items, for the holder of their lease. deleted_turn: the latest delete, of a single chunk.
-- Shape: one row an item.
-- SECURITY DEFINER: a worker needs no privilege on the queue. The lease is its right to these items.
CREATE OR REPLACE FUNCTION pgvec.leased_items(lease uuid, items bigint[])
RETURNS TABLE (item_id bigint, lo text, hi text, deleted_turn bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT w.item_id, w.lo, w.hi,
           (SELECT max(d.turn) FROM pgvec.tombstone d
             WHERE w.lo = w.hi AND d.collection = w.collection AND d.chunk_id = w.lo)
      FROM pgvec.work_item w
     WHERE w.lease = $1 AND w.item_id = ANY ($2);
$$;
