-- What build_index would do, for a dry run, and what it takes. The number of chunks is the planner's estimate, because
-- a count would read the leaf.
-- Raises: PV001 (no such collection), PV002 (no such version).
CREATE OR REPLACE FUNCTION pgvec.describe_build_index(collection text, model_version text)
RETURNS TABLE (what text, detail jsonb) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE s.state WHEN 'valid' THEN 'nothing: the index is there and valid'
                ELSE format('builds the HNSW index of %s, m = %s, ef_construction = %s; writers and readers go on',
                            v.model_version, v.m, v.ef_construction) END,
           jsonb_build_object('index', s.state, 'open_items', i.open, 'about_chunks',
               (SELECT greatest(k.reltuples, 0)::bigint FROM pg_catalog.pg_class k
                 WHERE k.oid = to_regclass(format('pgvec_leaves.%I', v.leaf))))
      FROM pgvec.get_version($1, $2) v CROSS JOIN LATERAL pgvec.item_counts(v.collection, v.model_version) i
     CROSS JOIN LATERAL pgvec.index_state(v.leaf) s (state)
    UNION ALL
    SELECT format('takes about %s of disk for the index, %s with the leaf; '
                  'its graph needs about %s of maintenance_work_mem',
                  pg_size_pretty(e.index_bytes), pg_size_pretty(e.index_bytes + e.leaf_bytes),
                  pg_size_pretty(e.graph_bytes)),
           to_jsonb(e)
      FROM pgvec.get_version($1, $2) v CROSS JOIN LATERAL pgvec.estimate_size(v.collection, v.dimensions, v.m) e
     WHERE pgvec.index_state(v.leaf) <> 'valid' AND pgvec.active_version(v.collection) IS NOT NULL;
$$;
