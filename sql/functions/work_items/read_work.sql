-- The chunks of claimed items that must be embedded: those that the target lacks or holds with older
-- content. A chunk of several items comes once. Shape: one row a chunk, content_hash is the SHA-256 of
-- its text, by which complete_work knows that the text is still the one that was embedded.
-- Reads with the caller's own rights: a worker needs SELECT on the leaves, which pgvec.grant_worker gives.
-- Raises PV001, PV002, 42501 (row-level security would hide chunks: a worker must see every row).
CREATE OR REPLACE FUNCTION pgvec.read_work(collection text, source_version text, model_version text, items bigint[],
                                           lease uuid)
RETURNS TABLE (item_ids bigint[], chunk_id text, content text, content_hash bytea)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET row_security = off
-- By the index of either leaf: a hash join would read all of it for every claim.
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    s pgvec.model_version := pgvec.get_version(collection, source_version);
    t pgvec.model_version := pgvec.get_version(collection, model_version);
BEGIN
    RETURN QUERY EXECUTE format($q$
        SELECT array_agg(w.item_id), s.chunk_id::text, min(s.content), sha256(convert_to(min(s.content), 'UTF8'))
          FROM pgvec.leased_items($2, $1) w
          -- An index scan an item: left to itself, the planner compares every item with every chunk.
          CROSS JOIN LATERAL (SELECT k.chunk_id, k.content, k.turn FROM pgvec_leaves.%1$I k WHERE k.chunk_id BETWEEN w.lo::%3$s AND w.hi::%3$s OFFSET 0) s
          LEFT JOIN pgvec_leaves.%2$I t ON t.chunk_id = s.chunk_id
         WHERE (t.chunk_id IS NULL OR (t.content <> s.content AND s.turn > t.turn)) AND (w.deleted_turn >= s.turn) IS NOT TRUE
         GROUP BY s.chunk_id
    $q$, s.leaf, t.leaf, c.id_type) USING items, lease;
END
$$;
