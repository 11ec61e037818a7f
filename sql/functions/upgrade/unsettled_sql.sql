-- Returns the statement by which pgvec.unsettled_chunks compares two versions. It reads each leaf once.
-- Its parameters are the collection, the labels of source and target, and the differences to list.
-- Why open intervals hide every missing or stale chunk of the target: to compare each chunk with each of thousands of
-- intervals would take hours, and make_ready compares the rows once they are done.
CREATE OR REPLACE FUNCTION pgvec.unsettled_sql(c pgvec.collection, source pgvec.model_version,
                                               target pgvec.model_version)
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format($query$
        WITH found AS (
            SELECT coalesce(s.chunk_id, t.chunk_id) AS chunk_id, coalesce(s.turn, t.turn) AS turn,
                   CASE WHEN t.chunk_id IS NULL THEN 'missing' WHEN s.chunk_id IS NULL THEN 'surplus'
                        WHEN s.turn > t.turn THEN 'stale' WHEN s.turn = t.turn THEN 'different'
                        ELSE 'ahead' END AS difference
              FROM %1$s s FULL JOIN %2$s t ON t.chunk_id = s.chunk_id
             WHERE s.chunk_id IS NULL OR t.chunk_id IS NULL OR s.digest <> t.digest)
        SELECT f.chunk_id::text, f.difference FROM found f
         WHERE f.difference = ANY ($4)
           -- A work item does not settle rows with the same turn.
           AND (f.difference = 'different' OR (
                NOT EXISTS (SELECT FROM pgvec.tombstone d
                             WHERE d.collection = $1 AND d.chunk_id = f.chunk_id::text AND d.turn >= f.turn)
                AND NOT EXISTS (SELECT FROM pgvec.work_item w
                                 WHERE w.collection = $1 AND w.lo = f.chunk_id::text AND w.hi = w.lo
                                   AND w.model_version = CASE WHEN f.difference IN ('missing', 'stale') THEN $3
                                                              ELSE $2 END)
                AND CASE WHEN f.difference IN ('missing', 'stale') THEN
                        NOT EXISTS (SELECT FROM pgvec.work_item w
                                     WHERE w.collection = $1 AND w.model_version = $3 AND w.lo <> w.hi)
                    ELSE
                        NOT EXISTS (SELECT FROM pgvec.work_item w
                                     WHERE w.collection = $1 AND w.model_version = $2 AND w.lo <> w.hi
                                       AND f.chunk_id BETWEEN w.lo::%3$s AND w.hi::%3$s) END))
    $query$, pgvec.digests_sql(c.chunk_table, source.leaf), pgvec.digests_sql(c.chunk_table, target.leaf), c.id_type);
$$;
