-- A row of PV009 while another session builds the index of a version, or none. Who tried its lock in vain need not
-- look for the builder, who may be through meanwhile: surely. Raises PV001, PV002.
CREATE OR REPLACE FUNCTION pgvec.refuse_second_build(collection text, model_version text, surely boolean DEFAULT false)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'PV009', format('another session is building the index of %s in %s.', v.model_version, v.collection),
           jsonb_strip_nulls(jsonb_build_object('collection', v.collection, 'model_version', v.model_version,
                                                'pid', b.pid)),
           'Wait for it, or end it, and call again.'
      FROM pgvec.get_version($1, $2) v CROSS JOIN LATERAL pgvec.index_builder(v.leaf) b (pid)
     WHERE $3 OR b.pid IS NOT NULL;
$$;
