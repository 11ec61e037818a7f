-- A row of PV006 for the problems that ready_problems or catalog_problems found, or no row for an empty object.
-- Arguments:
--   goal  what the version is not: complete or ready
-- Shape: DETAIL holds all the problems, the hint is the next step for one of them.
CREATE OR REPLACE FUNCTION pgvec.refuse_problems(collection text, model_version text, verb text, goal text,
                                                 problems jsonb)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'PV006',
           format('%s: version %s of %s is not %s: %s.', $3, $2, $1, $4,
                  (SELECT string_agg(replace(p.key, '_', ' ') || ' ' || (p.value #>> '{}'), ', ')
                     FROM jsonb_each($5) p)),
           jsonb_build_object('collection', $1, 'model_version', $2, 'problems', $5),
           pgvec.what_to_do($1, $2, $5)
     WHERE $5 <> '{}';
$$;
