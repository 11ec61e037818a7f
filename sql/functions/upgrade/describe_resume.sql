-- What resume would do, for a dry run.
-- Raises: PV001 (no such collection), PV002 (no such version).
CREATE OR REPLACE FUNCTION pgvec.describe_resume(collection text, model_version text)
RETURNS TABLE (what text, detail jsonb) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN v.paused_at IS NULL THEN format('nothing: %s is not paused', v.model_version)
                ELSE format('workers claim the %s open work items of %s again', i.open, v.model_version) END,
           jsonb_build_object('open_items', i.open, 'paused_at', v.paused_at)
      FROM pgvec.get_version($1, $2) v CROSS JOIN LATERAL pgvec.item_counts(v.collection, v.model_version) i;
$$;
