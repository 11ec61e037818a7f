-- A row of PV060 while the version is paused, or no row. The verbs of a transition ask it first.
CREATE OR REPLACE FUNCTION pgvec.refuse_while_paused(collection text, model_version text, verb text)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'PV060',
           format('%s: version %s of %s is paused since %s.', $3, v.model_version, v.collection,
                  to_char(v.paused_at, 'YYYY-MM-DD HH24:MI:SS')),
           jsonb_build_object('collection', v.collection, 'model_version', v.model_version, 'paused_at', v.paused_at,
                              'verb', $3),
           format('SELECT pgvec.resume(%L, %L); or on the command line: pgvec resume %s -c %s', v.collection,
                  v.model_version, v.model_version, v.collection)
      FROM pgvec.model_version v
     WHERE v.collection = $1 AND v.model_version = $2 AND v.paused_at IS NOT NULL;
$$;
