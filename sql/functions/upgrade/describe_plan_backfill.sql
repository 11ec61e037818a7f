-- What plan_backfill would do, for a dry run: nothing for a version without a leaf. Reads every row.
-- Raises: PV001 (no such collection), PV002 (no such version), 42501 (row-level security would hide rows).
CREATE OR REPLACE FUNCTION pgvec.describe_plan_backfill(collection text, model_version text)
RETURNS TABLE (what text, detail jsonb) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('plans work items for %s chunks that %s lacks or holds in an older text', m.chunks, v.model_version),
           jsonb_build_object('missing', m.chunks, 'open_items', i.open)
      FROM pgvec.get_version($1, $2) v CROSS JOIN LATERAL pgvec.item_counts(v.collection, v.model_version) i
     CROSS JOIN LATERAL (SELECT count(*) FROM pgvec.missing_chunks(v.collection, v.model_version)) m (chunks)
     WHERE to_regclass(format('pgvec_leaves.%I', v.leaf)) IS NOT NULL;
$$;
