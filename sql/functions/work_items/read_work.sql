-- Reads the chunks of claimed items that must be embedded: those that the target lacks or holds with an older text. A
-- chunk of several items comes once. It reads with your own rights: a worker needs SELECT on the leaves, which
-- pgvec.grant_worker gives. It reads nothing where a leaf is gone: the items went with it.
-- Shape: one row a chunk. content_hash is the SHA-256 of its text, by which complete_work knows that the text is still
-- the one that was embedded.
-- Raises: PV001 (no such collection), PV002 (no such version), 42501 (row-level security would hide chunks: a worker
-- must see every row).
-- Why no hash or merge join: it would read all of a leaf for every claim.
CREATE OR REPLACE FUNCTION pgvec.read_work(collection text, source_version text, model_version text, items bigint[],
                                           lease uuid)
RETURNS TABLE (item_ids bigint[], chunk_id text, content text, content_hash bytea)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET row_security = off
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    source pgvec.model_version := pgvec.get_version(collection, source_version);
    target pgvec.model_version := pgvec.get_version(collection, model_version);
BEGIN
    RETURN QUERY EXECUTE format($query$
        SELECT array_agg(w.item_id), source.chunk_id::text, min(source.content),
               sha256(convert_to(min(source.content), 'UTF8'))
          FROM pgvec.leased_items($2, $1) w
          -- An index scan an item: otherwise the planner compares every item with every chunk.
         CROSS JOIN LATERAL (SELECT k.chunk_id, k.content, k.turn FROM pgvec_leaves.%1$I k
                              WHERE k.chunk_id BETWEEN w.lo::%3$s AND w.hi::%3$s OFFSET 0) source
          LEFT JOIN pgvec_leaves.%2$I target ON target.chunk_id = source.chunk_id
         WHERE (target.chunk_id IS NULL OR (target.content <> source.content AND source.turn > target.turn))
           AND (w.deleted_turn >= source.turn) IS NOT TRUE
         GROUP BY source.chunk_id
    $query$, source.leaf, target.leaf, c.id_type) USING items, lease;
EXCEPTION
    WHEN undefined_table THEN
        -- A leaf that went with its version is no error; one that somebody dropped by hand is.
        IF NOT EXISTS (SELECT FROM unnest(ARRAY[source_version, model_version]) k (label)
                        CROSS JOIN LATERAL pgvec.get_version(collection, k.label) v WHERE v.dropped_at IS NOT NULL) THEN
            RAISE;
        END IF;
END
$$;
