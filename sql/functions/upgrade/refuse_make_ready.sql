-- Why make_ready would refuse, in its order: a pause, the chunk table is gone, the state, the leaf is gone, something
-- is missing in the rows. A ready version with something missing is not refused but falls back to building, unless a
-- host object depends on its pinned view. Reads every row.
-- Raises: PV001 (no such collection), PV002 (no such version), 42501 (row-level security would hide rows).
CREATE OR REPLACE FUNCTION pgvec.refuse_make_ready(collection text, model_version text)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM pgvec.refuse_while_paused($1, $2, 'make_ready')
    UNION ALL
    SELECT * FROM pgvec.refuse_lost_table($1)
    UNION ALL
    SELECT * FROM pgvec.refuse_state($1, $2, 'make_ready', 'ready')
    UNION ALL
    SELECT * FROM pgvec.refuse_lost_leaf($1, $2)
    UNION ALL
    SELECT r.* FROM pgvec.get_version($1, $2) v
     CROSS JOIN LATERAL pgvec.ready_problems(v.collection, v.model_version) p (problems)
     CROSS JOIN LATERAL pgvec.refuse_problems(v.collection, v.model_version, 'make_ready', 'ready', p.problems) r
     WHERE v.state = 'building' AND to_regclass(format('pgvec_leaves.%I', v.leaf)) IS NOT NULL
    UNION ALL
    -- Read its rows only where an object depends on the view.
    SELECT r.* FROM pgvec.get_version($1, $2) v
     CROSS JOIN LATERAL pgvec.refuse_pinned_drop(v.collection, v.model_version, 'make_ready') r
     CROSS JOIN LATERAL (SELECT pgvec.ready_problems(v.collection, v.model_version)
                          WHERE r.code IS NOT NULL) p (problems)
     WHERE v.state = 'ready' AND to_regclass(format('pgvec_leaves.%I', v.leaf)) IS NOT NULL AND p.problems <> '{}';
$$;
