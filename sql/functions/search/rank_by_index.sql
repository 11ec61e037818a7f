-- Ranks the chunks of a version by its index: the k nearest, nearest first; the last step of pgvec.nearest.
-- Behind a filter or row-level security it asks the index for half as many rows again and keeps the nearest k. If the
-- index finds fewer than k rows, it ranks all rows exactly instead.
-- Arguments:
--   vector_type  pgvector's type for the stored vectors, without dimensions, and its
--   operator     for the collection's distance: both with their schema, quoted
--   index_kind   see pgvec.ranked_embedding
--   secured      row-level security applies to the caller
--   ef_search    NULL: the session's, and never less than k
-- Raises: PV007 (the filter).
CREATE OR REPLACE FUNCTION pgvec.rank_by_index(leaf text, query_version text, vector_type text, operator text,
                                               dimensions integer, index_kind text, secured boolean, query vector,
                                               k integer, ef_search integer, filter jsonb, conditions jsonb)
RETURNS TABLE (chunk_id text, document_id text, content text, metadata jsonb, model_version text, distance float8)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
-- A filter's cost can make the planner compile the statement, which takes longer than to run it.
SET jit = off AS $$
DECLARE
    condition CONSTANT text := pgvec.filter_sql(filter, conditions);
    filtered CONSTANT boolean := condition <> '' OR secured;
    chunk_distance CONSTANT text := format('%4$s %3$s $1::%1$s(%2$s)', vector_type, dimensions, operator,
                                           pgvec.ranked_embedding(vector_type, dimensions, index_kind));
    old_ef CONSTANT text := current_setting('hnsw.ef_search');
    old_scan CONSTANT text := current_setting('hnsw.iterative_scan');
    statement text;
    taken bigint := k;
    hits refcursor;
    came integer;
BEGIN
    statement := format('SELECT %s, document_id, content, metadata, model_version, (%s)::float8 AS distance '
                        'FROM pgvec_leaves.%I WHERE model_version = %L%s ORDER BY %2$s LIMIT $3',
                        CASE WHEN filtered THEN 'chunk_id' ELSE 'chunk_id::text' END,
                        chunk_distance, leaf, query_version, condition);
    IF filtered THEN
        -- Past its first candidates the index finds rows out of order. (+ 0: without it the planner would rely on the
        -- order of the inner statement.)
        statement := format('SELECT chunk_id::text, document_id, content, metadata, model_version, distance '
                            'FROM (%s) d ORDER BY distance + 0, d.chunk_id LIMIT $2', statement);
        taken := k + (k::bigint + 1) / 2;
    END IF;
    PERFORM set_config('hnsw.ef_search', coalesce(ef_search, least(1000, greatest(old_ef::integer, k)))::text, true),
            set_config('hnsw.iterative_scan', CASE WHEN filtered THEN 'relaxed_order' ELSE 'strict_order' END, true);
    -- A cursor, because a function cannot take back rows that it returned when they turn out to be too few; one
    -- statement that holds both ways takes twice as long to plan.
    OPEN hits SCROLL FOR EXECUTE statement USING query, k, taken;
    MOVE FORWARD ALL IN hits;
    GET DIAGNOSTICS came = ROW_COUNT;
    IF came < k THEN
        RETURN QUERY SELECT * FROM pgvec.rank_exactly(leaf, query_version, vector_type, operator, query, k, filter,
                                                       conditions);
    ELSE
        MOVE ABSOLUTE 0 IN hits;
        RETURN QUERY EXECUTE format('FETCH %s FROM %I', k, hits);
    END IF;
    CLOSE hits;
    PERFORM set_config('hnsw.ef_search', old_ef, true), set_config('hnsw.iterative_scan', old_scan, true);
END
$$;
