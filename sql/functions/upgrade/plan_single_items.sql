-- For plan_backfill: plans an item for each chunk whose text the target has already, but whose other columns were
-- changed later in the source, and for each chunk that was deleted later than the target wrote it.
-- Arguments:
--   new_owner  who the target's rows may pass to (pgvec.work_item.owner)
-- Raises: 42501 (row-level security would hide rows).
CREATE OR REPLACE FUNCTION pgvec.plan_single_items(c pgvec.collection, source pgvec.model_version,
                                                   target pgvec.model_version, new_owner jsonb)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
BEGIN
    EXECUTE format($query$
        INSERT INTO pgvec.work_item (collection, source_version, model_version, lo, hi, owner)
        SELECT $1, $2, $3, o.chunk_id::text, o.chunk_id::text, $4
          FROM (SELECT target.chunk_id
                  FROM %1$s source
                  JOIN %2$s target ON target.chunk_id = source.chunk_id AND target.text_digest = source.text_digest
                 WHERE source.turn > target.turn
                UNION
                SELECT target.chunk_id
                  FROM pgvec_leaves.%3$I target
                  JOIN pgvec.tombstone d
                    ON d.collection = $1 AND d.chunk_id = target.chunk_id::text AND d.turn >= target.turn) o
        ON CONFLICT (collection, model_version, source_version, lo, hi) DO NOTHING
    $query$, pgvec.digests_sql(c.chunk_table, source.leaf), pgvec.digests_sql(c.chunk_table, target.leaf), target.leaf)
    USING c.collection, source.model_version, target.model_version, new_owner;
END
$$;
