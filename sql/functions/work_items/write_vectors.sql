-- For claimed items: writes texts with the vectors made from them, where the source still holds that text, its row is
-- later than the target's, and no later delete is known. A row passes to another owner (pgvec.owner_of) only by an item
-- that says so. Vectors for chunks that the items do not cover are not written.
-- Returns how many rows.
CREATE OR REPLACE FUNCTION pgvec.write_vectors(c pgvec.collection, source pgvec.model_version,
                                               target pgvec.model_version, items bigint[],
                                               chunk_ids text[], content_hashes bytea[], embeddings vector[])
RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    vectors CONSTANT text := pgvec.vector_schema();
    fields CONSTANT text[] := pgvec.column_list(c.chunk_table, carried_only => true);
    target_columns CONSTANT text := array_to_string(fields, ', ');
    source_columns CONSTANT text := 'source.' || array_to_string(fields, ', source.');
    new_columns CONSTANT text := 'excluded.' || array_to_string(fields, ', excluded.');
    target_owner CONSTANT text := pgvec.owner_of(c.chunk_table, 'target');
    new_owner CONSTANT text := pgvec.owner_of(c.chunk_table, 'excluded');
    covered text[];
    passing text[];  -- the chunks whose row may pass to another owner
    written bigint;
BEGIN
    EXECUTE format($query$
        SELECT array_agg(DISTINCT source.chunk_id::text),
               array_agg(source.chunk_id::text) FILTER (WHERE w.owner IN (%4$s, '"any"'))
          FROM pgvec.work_item w
         CROSS JOIN LATERAL (SELECT k.chunk_id FROM pgvec_leaves.%1$I k
                              WHERE k.chunk_id BETWEEN w.lo::%3$s AND w.hi::%3$s OFFSET 0) source
          LEFT JOIN pgvec_leaves.%2$I target ON target.chunk_id = source.chunk_id
         WHERE w.item_id = ANY ($1)
    $query$, source.leaf, target.leaf, c.id_type, target_owner) INTO covered, passing USING items;
    EXECUTE format($query$
        INSERT INTO pgvec_leaves.%2$I AS target (chunk_id, model_version, content, embedding, %6$s)
        SELECT source.chunk_id, $7, source.content, made.embedding::%4$I.%5$I, %7$s
          FROM unnest($1, $2, $3) made (chunk_id, content_hash, embedding)
          JOIN pgvec_leaves.%1$I source
            ON source.chunk_id = made.chunk_id::%3$s
           AND sha256(convert_to(source.content, 'UTF8')) = made.content_hash
         WHERE made.chunk_id = ANY ($4)
           AND NOT EXISTS (SELECT FROM pgvec.tombstone d
                            WHERE d.collection = $6 AND d.chunk_id = source.chunk_id::text AND d.turn >= source.turn)
         ORDER BY source.chunk_id FOR KEY SHARE OF source
        ON CONFLICT (chunk_id, model_version) DO UPDATE
           SET (content, embedding, %6$s) = ROW(excluded.content, excluded.embedding, %8$s)
         WHERE excluded.turn > target.turn
           AND (%9$s IS NOT DISTINCT FROM %10$s OR target.chunk_id::text = ANY ($5))
    $query$, source.leaf, target.leaf, c.id_type, vectors, c.storage, target_columns, source_columns, new_columns,
        new_owner, target_owner)
    USING chunk_ids, content_hashes, embeddings, covered, coalesce(passing, '{}'), c.collection, target.model_version;
    GET DIAGNOSTICS written = ROW_COUNT;
    RETURN written;
END
$$;
