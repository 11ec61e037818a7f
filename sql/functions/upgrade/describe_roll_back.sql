-- What roll_back would do, for a dry run. In detail, undoes_roll_back says whether it undoes an earlier roll-back.
-- Raises: PV001 (no such collection).
CREATE OR REPLACE FUNCTION pgvec.describe_roll_back(collection text, model_version text)
RETURNS TABLE (what text, detail jsonb) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('nothing: %s is active already', $2), jsonb_build_object('model_version', $2)
      FROM pgvec.active_version($1) a (label) WHERE a.label = $2
    UNION ALL
    SELECT format('%s, which was rolled back from, becomes active again', $2),
           jsonb_build_object('model_version', $2, 'undoes_roll_back', true)
     WHERE pgvec.undoes_roll_back($1, $2)
    UNION ALL
    SELECT d.* FROM pgvec.describe_switch($1, $2) d
     WHERE $2 IS DISTINCT FROM pgvec.active_version($1);
$$;
