-- What cut_over and roll_back would do, for a dry run: which version drains, and which one the routing view shows then.
-- Raises: PV001 (no such collection).
CREATE OR REPLACE FUNCTION pgvec.describe_switch(collection text, model_version text)
RETURNS TABLE (what text, detail jsonb) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('%s drains and is retired from %s on', a.label,
                  to_char(clock_timestamp() + c.retire_after, 'YYYY-MM-DD HH24:MI')),
           jsonb_build_object('model_version', a.label, 'retire_after', c.retire_after)
      FROM pgvec.get_collection($1) c CROSS JOIN LATERAL pgvec.active_version(c.collection) a (label)
     WHERE a.label <> $2
    UNION ALL
    SELECT format('active_%s shows %s; no row is rewritten', c.collection, $2),
           jsonb_build_object('model_version', $2, 'previous', pgvec.active_version(c.collection))
      FROM pgvec.get_collection($1) c WHERE $2 IS NOT NULL;
$$;
