-- Which of the claimed items are done: none whose chunks are not there, whoever says so. A chunk that the target held when
-- the texts were read, and does not now: its item is taken once more, and no try is counted. Of an interval, each chunk
-- that is not there yet gets an item of its own.
CREATE OR REPLACE FUNCTION pgvec.done_items(c pgvec.collection, s pgvec.model_version, t pgvec.model_version,
                                            items bigint[])
RETURNS bigint[] LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    done bigint[];
    left_over text[];
    owners jsonb[];
    due CONSTANT text := format(
        'NOT EXISTS (SELECT FROM pgvec.tombstone d WHERE d.collection = $2 AND d.chunk_id = s.chunk_id::text AND d.turn >= s.turn) '
        'AND NOT EXISTS (SELECT FROM pgvec_leaves.%I t WHERE t.chunk_id = s.chunk_id AND t.turn >= s.turn)', t.leaf);
BEGIN
    EXECUTE format($q$
        WITH again AS (
            UPDATE pgvec.work_item w
               SET revision = w.revision + 1, lease = NULL, leased_until = NULL, attempts = greatest(w.attempts - 1, 0)
              FROM pgvec_leaves.%1$I s
             WHERE w.item_id = ANY ($1) AND w.lo = w.hi AND w.set_aside_at IS NULL AND s.chunk_id = w.lo::%2$s AND %3$s
            RETURNING w.item_id)
        SELECT coalesce(array_agg(h.item_id), '{}') FROM unnest($1) h(item_id)
         WHERE h.item_id NOT IN (SELECT a.item_id FROM again a)
           AND NOT EXISTS (SELECT FROM pgvec.work_item w WHERE w.item_id = h.item_id AND w.set_aside_at IS NOT NULL)
    $q$, s.leaf, c.id_type, due) INTO done USING items, c.collection;
    EXECUTE format($q$
        SELECT array_agg(s.chunk_id::text), array_agg(w.owner) FROM pgvec.work_item w
         CROSS JOIN LATERAL (SELECT k.chunk_id, k.turn FROM pgvec_leaves.%1$I k
                              WHERE k.chunk_id BETWEEN w.lo::%2$s AND w.hi::%2$s OFFSET 0) s
         WHERE w.item_id = ANY ($1) AND w.lo <> w.hi AND %3$s
           AND NOT EXISTS (SELECT FROM pgvec.work_item o WHERE o.collection = $2 AND o.source_version = $3 AND o.model_version = $4
                              AND o.lo = s.chunk_id::text AND o.hi = o.lo)
    $q$, s.leaf, c.id_type, due) INTO left_over, owners USING done, c.collection, s.model_version, t.model_version;
    IF left_over IS NOT NULL THEN
        PERFORM pgvec.open_items(c.collection, s.model_version, t.model_version, left_over, owners);
    END IF;
    RETURN done;
END
$$;
