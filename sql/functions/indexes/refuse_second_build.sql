-- A row of PV009 while another session builds the index of a version, or no row.
-- Raises: PV001 (no such collection), PV002 (no such version).
CREATE OR REPLACE FUNCTION pgvec.refuse_second_build(collection text, model_version text)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'PV009',
           format('another session is building the index of %s in %s: process %s.', v.model_version, v.collection,
                  array_to_string(b.pids, ', ')),
           jsonb_build_object('collection', v.collection, 'model_version', v.model_version, 'processes', b.pids),
           'Wait for it, or end it, and call again.'
      FROM pgvec.get_version($1, $2) v CROSS JOIN LATERAL pgvec.index_builders(v.leaf) b (pids)
     WHERE b.pids <> '{}' AND pgvec.index_state(v.leaf) <> 'valid';
$$;
