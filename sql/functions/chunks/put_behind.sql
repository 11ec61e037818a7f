-- Puts copies in the filled version whose text the active version no longer holds behind everything, and opens a work
-- item that brings the active version's text. An item that is open already is enough; to lock it would make sessions
-- that edit the chunk wait.
CREATE OR REPLACE FUNCTION pgvec.put_behind(c pgvec.collection, active pgvec.model_version, filled pgvec.model_version,
                                            chunk_ids text[])
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format($q$
        WITH stale AS (
            UPDATE pgvec_leaves.%1$I t SET turn = least(t.turn, 0) - 1
              FROM pgvec_leaves.%2$I s
             WHERE t.chunk_id = ANY ($1::%3$s[]) AND s.chunk_id = t.chunk_id AND s.content <> t.content
            RETURNING t.chunk_id::text COLLATE "C" AS chunk_id)
        INSERT INTO pgvec.work_item (collection, source_version, model_version, lo, hi)
        SELECT $2, $3, $4, k.chunk_id, k.chunk_id FROM stale k ORDER BY k.chunk_id
        ON CONFLICT (collection, model_version, source_version, lo, hi) DO NOTHING
    $q$, filled.leaf, active.leaf, c.id_type) USING chunk_ids, c.collection, active.model_version, filled.model_version;
END
$$;
