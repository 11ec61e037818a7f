-- What pgvec.retire_due does, for a dry run: one row for each due version that goes. No row on a standby, and none for
-- a version that stays: pgvec.refuse_retire_due says why.
CREATE OR REPLACE FUNCTION pgvec.describe_retire_due(collection text DEFAULT NULL, model_version text DEFAULT NULL)
RETURNS TABLE (what text, detail jsonb) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('%s in %s: %s',
                  CASE p.on_retire
                       WHEN 'archive' THEN format('drops the pinned view of %s and keeps its leaf in pgvec_archive',
                                                  p.model_version)
                       ELSE format('drops the pinned view and the leaf of %s', p.model_version) END,
                  p.collection, pg_size_pretty(p.bytes)),
           jsonb_build_object('model_version', p.model_version, 'bytes', p.bytes, 'on_retire', p.on_retire)
      FROM pgvec.retirement_plan() p
     WHERE p.outcome = 'would retire' AND NOT pg_is_in_recovery()
       AND ($1 IS NULL OR p.collection = $1) AND ($2 IS NULL OR p.model_version = $2);
$$;
