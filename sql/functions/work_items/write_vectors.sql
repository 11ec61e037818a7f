-- For claimed items: writes texts with the vectors made from them, where the text is still that one, the row is later
-- than what the target holds, and no later delete waits. A row never passes to another owner (pgvec.owner_of) but by an
-- item that says so. Vectors for chunks of other items are left out.
-- Returns how many rows.
CREATE OR REPLACE FUNCTION pgvec.write_vectors(c pgvec.collection, s pgvec.model_version, t pgvec.model_version,
                                               items bigint[],
                                               chunk_ids text[], content_hashes bytea[], embeddings vector[])
RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    fields CONSTANT text[] := pgvec.column_list(c.chunk_table, carried_only => true);
    chunks CONSTANT regclass := c.chunk_table;
    claimed text[];
    passing text[];
    written bigint;
BEGIN
    -- passing: whose row may become another's, because the item says so.
    EXECUTE format('SELECT array_agg(DISTINCT s.chunk_id::text), array_agg(s.chunk_id::text) FILTER (WHERE w.owner IN (%4$s, ''"any"'')) '
                   'FROM pgvec.work_item w CROSS JOIN LATERAL '
                   '(SELECT k.chunk_id FROM pgvec_leaves.%1$I k WHERE k.chunk_id BETWEEN w.lo::%2$s AND w.hi::%2$s OFFSET 0) s '
                   'LEFT JOIN pgvec_leaves.%3$I t ON t.chunk_id = s.chunk_id WHERE w.item_id = ANY ($1)',
                   s.leaf, c.id_type, t.leaf, pgvec.owner_of(chunks, 't')) INTO claimed, passing USING items;
    EXECUTE format($q$
        INSERT INTO pgvec_leaves.%2$I AS t (chunk_id, model_version, content, embedding, %4$s)
        SELECT s.chunk_id, %3$L, s.content, m.embedding::%8$I.%9$I, %5$s
          FROM unnest($1, $2, $3) m (chunk_id, content_hash, embedding)
          JOIN pgvec_leaves.%1$I s ON s.chunk_id = m.chunk_id::%7$s AND sha256(convert_to(s.content, 'UTF8')) = m.content_hash
         WHERE m.chunk_id = ANY ($4)
           AND NOT EXISTS (SELECT FROM pgvec.tombstone d WHERE d.collection = $5 AND d.chunk_id = s.chunk_id::text AND d.turn >= s.turn)
         ORDER BY s.chunk_id FOR KEY SHARE OF s
        ON CONFLICT (chunk_id, model_version) DO UPDATE SET (content, embedding, %4$s) = ROW(excluded.content, excluded.embedding, %6$s)
         WHERE excluded.turn > t.turn
           AND (%10$s IS NOT DISTINCT FROM %11$s OR t.chunk_id::text = ANY ($6))
    $q$, s.leaf, t.leaf, t.model_version, array_to_string(fields, ', '), 's.' || array_to_string(fields, ', s.'),
        'excluded.' || array_to_string(fields, ', excluded.'), c.id_type, pgvec.vector_schema(), c.storage,
        pgvec.owner_of(chunks, 'excluded'), pgvec.owner_of(chunks, 't'))
    USING chunk_ids, content_hashes, embeddings, claimed, c.collection, coalesce(passing, '{}');
    GET DIAGNOSTICS written = ROW_COUNT;
    RETURN written;
END
$$;
