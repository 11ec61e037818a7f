-- The k nearest of the rows that a statement gives, ranked without an index. The statement takes the query vector as $1
-- and gives the columns of pgvec.nearest. A function of its own, so that the statement of a search that the index answers
-- does not plan what it does not run.
CREATE OR REPLACE FUNCTION pgvec.rank_exactly(ranked text, query vector, k integer)
RETURNS TABLE (chunk_id text, document_id text, content text, metadata jsonb, model_version text, distance float8)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT chunk_id::text, document_id, content, metadata, model_version, distance FROM (%s) d ORDER BY distance, d.chunk_id LIMIT $2', ranked) USING query, k;
END
$$;
