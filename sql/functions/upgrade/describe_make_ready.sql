-- What make_ready would do, for a dry run. It reads every row of a version that is ready, to say whether the version
-- falls back to building.
-- Raises: PV001 (no such collection), PV002 (no such version), 42501 (row-level security would hide rows).
CREATE OR REPLACE FUNCTION pgvec.describe_make_ready(collection text, model_version text)
RETURNS TABLE (what text, detail jsonb) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('checks every row of %s; then it is ready and has the pinned view %s',
                  v.model_version, v.pinned_view),
           jsonb_build_object('state', v.state)
      FROM pgvec.get_version($1, $2) v
    UNION ALL
    SELECT format('finds that %s is building again and drops its pinned view: %s', v.model_version,
                  regexp_replace(r.message, '^make_ready: ', '')), r.detail
      FROM pgvec.get_version($1, $2) v
     CROSS JOIN LATERAL pgvec.ready_problems(v.collection, v.model_version) p (problems)
     CROSS JOIN LATERAL pgvec.refuse_problems(v.collection, v.model_version, 'make_ready', 'ready', p.problems) r
     WHERE v.state = 'ready' AND to_regclass(format('pgvec_leaves.%I', v.leaf)) IS NOT NULL;
$$;
