-- Which versions pgvec.retire_due would not retire, for a dry run: one row for each, with the reason of
-- pgvec.refuse_retirement in detail, and one row on a standby. The code is NULL, because the job does not fail: it
-- tries the version again in its next run.
-- Arguments:
--   collection      only versions of this collection
--   model_version   only this version, due or not; without it, every version that is due
-- Raises: PV001, PV002.
CREATE OR REPLACE FUNCTION pgvec.refuse_retire_due(collection text DEFAULT NULL, model_version text DEFAULT NULL)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    WITH asked (collection, model_version) AS (
        SELECT p.collection, p.model_version
          FROM pgvec.retirement_plan() p
         WHERE $2 IS NULL AND ($1 IS NULL OR p.collection = $1)
        UNION ALL
        SELECT v.collection, v.model_version
          FROM pgvec.get_version($1, $2) v
         WHERE $2 IS NOT NULL
    )
    SELECT NULL, 'this server is a standby: the job does nothing here', jsonb_build_object('in_recovery', true), NULL
     WHERE pg_is_in_recovery()
    UNION ALL
    SELECT NULL, format('%s of %s stays: %s', a.model_version, a.collection, concat_ws(', ', r.reason, r.detail)),
           jsonb_build_object('collection', a.collection, 'model_version', a.model_version, 'reason', r.reason,
                              'detail', r.detail), NULL
      FROM asked a
     CROSS JOIN LATERAL pgvec.refuse_retirement(a.collection, a.model_version) r
     WHERE r.reason IS NOT NULL;
$$;
