-- A row of PV004 when the collection has used the label before, whatever became of that version, or no row.
CREATE OR REPLACE FUNCTION pgvec.refuse_used_label(collection text, model_version text)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'PV004',
           format('the label %s was used before in %s: it is %s since %s.', v.model_version, v.collection, v.state,
                  to_char(coalesce(v.retired_at, v.abandoned_at, v.draining_at, v.activated_at, v.ready_at,
                                   v.registered_at), 'YYYY-MM-DD')),
           jsonb_build_object('collection', v.collection, 'model_version', v.model_version, 'state', v.state),
           'A label names one embedder for ever; choose a new one.'
      FROM pgvec.model_version v WHERE v.collection = $1 AND v.model_version = $2;
$$;
