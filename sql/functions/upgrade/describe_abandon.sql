-- What abandon would do, for a dry run.
-- Raises: PV001 (no such collection), PV002 (no such version).
CREATE OR REPLACE FUNCTION pgvec.describe_abandon(collection text, model_version text)
RETURNS TABLE (what text, detail jsonb) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('%s stops following; its pinned view and %s work items go at once; its leaf goes %s',
                  v.model_version, i.open + i.set_aside,
                  CASE WHEN r.reason IS NULL THEN 'at once too, unless a session uses it'
                       ELSE 'with a later retire_due: ' || concat_ws(', ', r.reason, r.detail) END),
           jsonb_build_object('model_version', v.model_version, 'work_items', i.open + i.set_aside,
                              'leaf_stays', r.reason)
      FROM pgvec.get_version($1, $2) v CROSS JOIN LATERAL pgvec.item_counts(v.collection, v.model_version) i
     CROSS JOIN LATERAL pgvec.refuse_removal(v.collection, v.model_version) r;
$$;
