-- Which of the claimed items are done. A chunk that the target held when the texts were read, and does not now: its item
-- is taken once more, and no try is counted.
CREATE OR REPLACE FUNCTION pgvec.done_items(c pgvec.collection, s pgvec.model_version, t pgvec.model_version, items bigint[])
RETURNS bigint[] LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    done bigint[];
BEGIN
    EXECUTE format($q$
        WITH again AS (
            UPDATE pgvec.work_item w SET revision = w.revision + 1, lease = NULL, leased_until = NULL, attempts = greatest(w.attempts - 1, 0)
              FROM pgvec_leaves.%1$I s
             WHERE w.item_id = ANY ($1) AND w.lo = w.hi AND w.set_aside_at IS NULL AND s.chunk_id = w.lo::%3$s
               AND NOT EXISTS (SELECT FROM pgvec.tombstone d WHERE d.collection = $2 AND d.chunk_id = s.chunk_id::text AND d.turn >= s.turn)
               AND NOT EXISTS (SELECT FROM pgvec_leaves.%2$I t WHERE t.chunk_id = s.chunk_id AND t.turn >= s.turn)
            RETURNING w.item_id)
        SELECT coalesce(array_agg(h.item_id), '{}') FROM unnest($1) h(item_id) WHERE h.item_id NOT IN (SELECT a.item_id FROM again a)
           AND NOT EXISTS (SELECT FROM pgvec.work_item w WHERE w.item_id = h.item_id AND w.set_aside_at IS NOT NULL)
    $q$, s.leaf, t.leaf, c.id_type) INTO done USING items, c.collection;
    RETURN done;
END
$$;
