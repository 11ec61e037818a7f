-- Returns the k chunks nearest to a query vector, among those of the version that made the vector: pgvec.route_query
-- finds its leaf, pgvec.check_query looks at the query, pgvec.rank_by_index or pgvec.rank_exactly ranks.
-- A session that declared another version with pgvec.query_version.<collection> is refused.
-- Shape: at most k rows, nearest first. Units: distance is pgvector's own (<=>, <-> or <#>).
-- Arguments:
--   query_version  the version that made the query vector: ready, active or draining
--   filter         jsonb that the metadata must contain (@>)
--   conditions     jsonb array of {"key", "op", "value"}; op: = <> < <= > >= in exists; see pgvec.filter_sql
--   ef_search      1 to 1000; by default the session's, and never less than k
--   exact          without the index: the truth, for checks
--   expect_active  PV011 unless query_version is the active version
-- Raises: PV001, PV002, PV007, PV011, PV013, PV015 (dimensions, zero vector, out of range), PV051 (row-level security
-- changed), 40001.
CREATE OR REPLACE FUNCTION pgvec.nearest(collection text, query vector, query_version text, k integer DEFAULT 10,
                                         filter jsonb DEFAULT NULL, ef_search integer DEFAULT NULL,
                                         exact boolean DEFAULT false, expect_active boolean DEFAULT false,
                                         conditions jsonb DEFAULT NULL)
RETURNS TABLE (chunk_id text, document_id text, content text, metadata jsonb, model_version text, distance float8)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    route record;
    vector_type text;
BEGIN
    route := pgvec.route_query(collection, query_version, expect_active);
    PERFORM pgvec.check_query(collection, query_version, route.dimensions, route.storage, route.distance, route.vectors,
                              query, k, ef_search);
    IF route.doubtful THEN
        PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
           FROM pgvec.refuse_other_policies(collection, query_version) r;
    END IF;
    vector_type := format('%s.%I', route.vectors, route.storage);
    IF exact THEN
        RETURN QUERY
        SELECT * FROM pgvec.rank_exactly(route.leaf, query_version, vector_type, route.operator, query, k,
                                         filter, conditions);
    ELSE
        RETURN QUERY
        SELECT * FROM pgvec.rank_by_index(route.leaf, query_version, vector_type, route.operator,
                                          route.dimensions, route.index_kind, route.secured, query, k, ef_search,
                                          filter, conditions);
    END IF;
EXCEPTION
    WHEN numeric_value_out_of_range THEN
        PERFORM pgvec.raise_error('PV015',
            format('the query vector does not fit into %s: %s.', route.storage, SQLERRM),
            jsonb_build_object('collection', collection));
    WHEN undefined_table THEN
        PERFORM pgvec.raise_error('PV013',
            format('version %s of %s was retired just now: it answers no queries.', query_version, collection),
            jsonb_build_object('collection', collection, 'query_version', query_version, 'state', 'retired'),
            'Embed the query with the active version.');
END
$$;
