-- For plan_backfill: plans intervals for the chunks that the target lacks or holds with an older text. Intervals that
-- no worker has claimed are planned again. A chunk gets no new item while a claimed one, or one that was set aside,
-- covers it.
-- Arguments:
--   new_owner  who the target's rows may pass to (pgvec.work_item.owner)
-- Raises: 42501 (row-level security would hide rows).
CREATE OR REPLACE FUNCTION pgvec.plan_intervals(c pgvec.collection, source pgvec.model_version,
                                                target pgvec.model_version, chunks_per_item integer, new_owner jsonb)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
BEGIN
    DELETE FROM pgvec.work_item w
     WHERE w.collection = c.collection AND w.model_version = target.model_version
       AND w.source_version = source.model_version
       AND w.set_aside_at IS NULL AND w.lease IS NULL AND w.lo <> w.hi;
    EXECUTE format($query$
        WITH missing AS (
            SELECT source.chunk_id, (row_number() OVER (ORDER BY source.chunk_id) - 1) / $4 AS part
              FROM %1$s source LEFT JOIN %2$s target ON target.chunk_id = source.chunk_id
             WHERE (target.chunk_id IS NULL
                    OR (target.text_digest <> source.text_digest AND source.turn > target.turn))
               AND NOT EXISTS (
                   SELECT FROM pgvec.work_item w
                    WHERE w.collection = $1 AND w.source_version = $2 AND w.model_version = $3
                      AND (w.set_aside_at IS NOT NULL OR w.lease IS NOT NULL)
                      AND w.lo = source.chunk_id::text AND w.hi = w.lo)
               -- Single items above, by equality, and intervals here: thousands of single items may be set aside, and
               -- BETWEEN would compare each of them with every chunk.
               AND NOT EXISTS (
                   SELECT FROM pgvec.work_item w
                    WHERE w.collection = $1 AND w.source_version = $2 AND w.model_version = $3
                      AND (w.set_aside_at IS NOT NULL OR w.lease IS NOT NULL)
                      AND w.lo <> w.hi AND source.chunk_id BETWEEN w.lo::%3$s AND w.hi::%3$s))
        INSERT INTO pgvec.work_item (collection, source_version, model_version, lo, hi, owner)
        SELECT $1, $2, $3, (array_agg(m.chunk_id ORDER BY m.chunk_id))[1]::text,
               (array_agg(m.chunk_id ORDER BY m.chunk_id DESC))[1]::text, $5
          FROM missing m
         GROUP BY m.part
         ORDER BY m.part
        ON CONFLICT (collection, model_version, source_version, lo, hi) DO NOTHING
    $query$, pgvec.digests_sql(c.chunk_table, source.leaf), pgvec.digests_sql(c.chunk_table, target.leaf), c.id_type)
    USING c.collection, source.model_version, target.model_version, chunks_per_item, new_owner;
END
$$;
