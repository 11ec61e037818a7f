-- The intervals of claimed items, for who knows their lease; deleted_turn: for a single chunk, its latest delete.
-- SECURITY DEFINER: a worker needs no privilege on the queue; the lease is what lets him in.
CREATE OR REPLACE FUNCTION pgvec.leased_items(lease uuid, items bigint[])
RETURNS TABLE (item_id bigint, lo text, hi text, deleted_turn bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT w.item_id, w.lo, w.hi,
           (SELECT max(d.turn) FROM pgvec.tombstone d WHERE w.lo = w.hi AND d.collection = w.collection AND d.chunk_id = w.lo)
      FROM pgvec.work_item w
     WHERE w.lease = $1 AND w.item_id = ANY ($2);
$$;
