-- What switch_active checks under its locks, and a dry run without them: the chunk table, the policies, what is missing
-- (unless allow_missing), the state.
-- Raises: PV001 (no such collection), PV002 (no such version).
CREATE OR REPLACE FUNCTION pgvec.refuse_switch(collection text, model_version text, verb text,
                                               allow_missing boolean DEFAULT false)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM pgvec.refuse_lost_table($1)
    UNION ALL
    SELECT * FROM pgvec.refuse_other_policies($1, $2)
    UNION ALL
    -- The wrong state comes first, and what is missing after it.
    (SELECT r.code, r.message, r.detail, r.hint FROM (
        SELECT 2, s.* FROM pgvec.refuse_state($1, $2, $3, 'active') s
        UNION ALL
        SELECT CASE WHEN v.state IN ('ready', 'draining') THEN 1 ELSE 3 END, p.*
          FROM pgvec.get_version($1, $2) v
         CROSS JOIN LATERAL pgvec.catalog_problems(v.collection, v.model_version) i (problems)
         CROSS JOIN LATERAL pgvec.refuse_problems(v.collection, v.model_version, $3, 'complete', i.problems) p
         WHERE v.dropped_at IS NULL AND NOT coalesce($4, false)) r (place, code, message, detail, hint)
     ORDER BY r.place);
$$;
