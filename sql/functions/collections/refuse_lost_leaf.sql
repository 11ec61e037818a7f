-- Returns a row of PV007 when the leaf of a version was dropped or renamed by hand, or none.
-- Raises: PV001, PV002.
CREATE OR REPLACE FUNCTION pgvec.refuse_lost_leaf(collection text, model_version text)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'PV007',
           format('the leaf pgvec_leaves.%I of version %s is gone: it was dropped or renamed by hand.', v.leaf,
                  v.model_version),
           jsonb_build_object('collection', v.collection, 'model_version', v.model_version, 'leaf', v.leaf),
           'Give it its name back, or register and fill a version with a new label.'
      FROM pgvec.get_version($1, $2) v
     WHERE v.dropped_at IS NULL AND to_regclass(format('pgvec_leaves.%I', v.leaf)) IS NULL;
$$;
