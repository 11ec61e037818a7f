-- Counts the rows of a table that do not fit into a collection, in one scan.
-- Shape: one row. dimensions: how many vectors have how many, as an object; null_vectors, null_texts, zero_vectors.
CREATE OR REPLACE FUNCTION pgvec.count_unfit_rows(source regclass, embedding text, content text,
                                                  OUT chunks bigint, OUT dimensions jsonb, OUT null_vectors bigint,
                                                  OUT null_texts bigint, OUT zero_vectors bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    vectors CONSTANT text := pgvec.vector_schema();
    norm CONSTANT text := (SELECT CASE t.typname WHEN 'vector' THEN 'vector_norm' ELSE 'l2_norm' END
                             FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
                            WHERE a.attrelid = source AND a.attname = embedding);
BEGIN
    EXECUTE format($query$
        SELECT coalesce(sum(g.rows), 0), coalesce(jsonb_object_agg(g.dims, g.rows) FILTER (WHERE g.dims > 0), '{}'),
               coalesce(sum(g.rows) FILTER (WHERE g.dims IS NULL), 0), coalesce(sum(g.no_text), 0),
               coalesce(sum(g.zeros), 0)
          FROM (SELECT %1$I.vector_dims(t.%2$I) AS dims, count(*) AS rows,
                       count(*) FILTER (WHERE t.%3$I IS NULL) AS no_text,
                       count(*) FILTER (WHERE %1$I.%5$I(t.%2$I) = 0) AS zeros
                  FROM %4$s t GROUP BY 1) g
    $query$, vectors, embedding, content, source, norm)
    INTO chunks, dimensions, null_vectors, null_texts, zero_vectors;
END
$$;
