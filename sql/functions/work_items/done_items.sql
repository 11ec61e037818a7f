-- Says which of the claimed items are done: those whose chunks are all in the target. The other ones stay open: the
-- item of a single chunk that is not in the target is opened again, without counting this try, and of an interval each
-- such chunk gets an item of its own. This happens when the target held a chunk while the worker read the texts, and
-- has lost it since.
-- Returns the ids of the items that are done.
CREATE OR REPLACE FUNCTION pgvec.done_items(c pgvec.collection, source pgvec.model_version,
                                            target pgvec.model_version, items bigint[])
RETURNS bigint[] LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    done bigint[];
    absent text[];
    owners jsonb[];
    -- A chunk of the source that nobody deleted, and that the target does not hold in this form or a later one.
    due CONSTANT text := format($query$
        NOT EXISTS (SELECT FROM pgvec.tombstone d
                     WHERE d.collection = $2 AND d.chunk_id = source.chunk_id::text AND d.turn >= source.turn)
        AND NOT EXISTS (SELECT FROM pgvec_leaves.%1$I target
                         WHERE target.chunk_id = source.chunk_id AND target.turn >= source.turn)
    $query$, target.leaf);
BEGIN
    EXECUTE format($query$
        WITH reopened AS (
            UPDATE pgvec.work_item w
               SET revision = w.revision + 1, lease = NULL, leased_until = NULL,
                   attempts = greatest(w.attempts - 1, 0)
              FROM pgvec_leaves.%1$I source
             WHERE w.item_id = ANY ($1) AND w.lo = w.hi AND w.set_aside_at IS NULL
               AND source.chunk_id = w.lo::%2$s AND %3$s
            RETURNING w.item_id)
        SELECT coalesce(array_agg(held.item_id), '{}')
          FROM unnest($1) held (item_id)
         WHERE held.item_id NOT IN (SELECT r.item_id FROM reopened r)
           AND NOT EXISTS (SELECT FROM pgvec.work_item w
                            WHERE w.item_id = held.item_id AND w.set_aside_at IS NOT NULL)
    $query$, source.leaf, c.id_type, due) INTO done USING items, c.collection;
    EXECUTE format($query$
        SELECT array_agg(source.chunk_id::text), array_agg(w.owner)
          FROM pgvec.work_item w
         CROSS JOIN LATERAL (SELECT k.chunk_id, k.turn FROM pgvec_leaves.%1$I k
                              WHERE k.chunk_id BETWEEN w.lo::%2$s AND w.hi::%2$s OFFSET 0) source
         WHERE w.item_id = ANY ($1) AND w.lo <> w.hi AND %3$s
           AND NOT EXISTS (SELECT FROM pgvec.work_item o
                            WHERE o.collection = $2 AND o.source_version = $3 AND o.model_version = $4
                              AND o.lo = source.chunk_id::text AND o.hi = o.lo)
    $query$, source.leaf, c.id_type, due) INTO absent, owners
    USING done, c.collection, source.model_version, target.model_version;
    IF absent IS NOT NULL THEN
        PERFORM pgvec.open_items(c.collection, source.model_version, target.model_version, absent, owners);
    END IF;
    RETURN done;
END
$$;
