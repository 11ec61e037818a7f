-- What pgvec.retire_due would do now: a row for each version that is due, with the bytes that would be free again.
-- outcome is 'would retire', or a reason of pgvec.refuse_retirement. Changes nothing.
-- Arguments:
--   within           looks ahead: also the versions that are due within this time
--   ignore_readers   as in pgvec.retire_due
-- Raises: PV007 (within is out of range).
CREATE OR REPLACE FUNCTION pgvec.retirement_plan(within interval DEFAULT '0', ignore_readers boolean DEFAULT false)
RETURNS TABLE (collection text, model_version text, state text, retire_at timestamptz, bytes bigint, on_retire text,
               outcome text, detail text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT v.collection, v.model_version, v.state, v.retire_at,
           coalesce(pg_total_relation_size(to_regclass(format('pgvec_leaves.%I', v.leaf))), 0),
           CASE v.state WHEN 'draining' THEN (pgvec.retirement_settings(v.collection)).on_retire ELSE 'drop' END,
           coalesce(r.reason, 'would retire'), r.detail
      FROM pgvec.model_version v
     CROSS JOIN LATERAL pgvec.refuse_retirement(v.collection, v.model_version, $2) r
     WHERE v.state IN ('draining', 'abandoned') AND v.dropped_at IS NULL
       AND v.retire_at <= clock_timestamp() + pgvec.check_interval('within', $1)
     ORDER BY v.retire_at;
$$;
