-- Ranks the chunks of a version without the index: the k nearest, nearest first.
-- Arguments: see pgvec.rank_by_index.
-- Raises: PV007 (the filter).
-- Why a function of its own: a search that the index answers plans nothing that it does not run.
CREATE OR REPLACE FUNCTION pgvec.rank_exactly(leaf text, query_version text, vector_type text, operator text,
                                              query vector, k integer, filter jsonb, conditions jsonb)
RETURNS TABLE (chunk_id text, document_id text, content text, metadata jsonb, model_version text, distance float8)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- + 0: no index holds this sum.
    chunk_distance CONSTANT text := format('(embedding %s $1::%s) + 0', operator, vector_type);
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT chunk_id::text, document_id, content, metadata, model_version, distance '
        'FROM (SELECT chunk_id, document_id, content, metadata, model_version, (%s)::float8 AS distance '
              'FROM pgvec_leaves.%I WHERE model_version = %L%s) d '
        'ORDER BY distance, d.chunk_id LIMIT $2',
        chunk_distance, leaf, query_version, pgvec.filter_sql(filter, conditions))
    USING query, k;
END
$$;
