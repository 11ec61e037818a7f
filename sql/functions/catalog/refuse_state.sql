-- Returns a row of PV005 when a verb does not start from the state of a version, or none. A verb that
-- pgvec.state_change does not know starts from no state.
-- Arguments:
--   to_state  where the verb takes the version, if it can lead to several states
-- Raises: PV001, PV002.
CREATE OR REPLACE FUNCTION pgvec.refuse_state(collection text, model_version text, verb text,
                                              to_state text DEFAULT NULL)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'PV005',
           format('%s: version %s of %s is %s, not %s.', $3, v.model_version, v.collection, v.state,
                  array_to_string(n.needed, ' or ')),
           jsonb_build_object('collection', v.collection, 'model_version', v.model_version, 'state', v.state,
                              'needed', n.needed, 'verb', $3),
           CASE WHEN $3 = 'build_index' THEN 'Only a live version has an index.'
                WHEN $3 = 'plan_backfill' THEN 'Only a live version is filled.'
                WHEN $3 = 'pause' THEN 'There is no work for it to pause.'
                WHEN $3 = 'restore' AND v.state = 'abandoned'
                    THEN 'An abandoned version is never kept; register a version with a new label.'
                WHEN $3 = 'restore' THEN 'Only a retired version is restored.'
                WHEN v.state = $4 THEN 'Nothing to do.'
                WHEN v.state IN ('retired', 'abandoned')
                    THEN 'It is gone for good; register a version with a new label.'
                WHEN v.state = 'building' AND $4 = 'active'
                    THEN format('Make it ready first: SELECT pgvec.make_ready(%L, %L).', v.collection, v.model_version)
                WHEN v.state = 'draining' AND $4 = 'active'
                    THEN format('Go back to it with: SELECT pgvec.roll_back(%L, %L).', v.collection, v.model_version)
                WHEN v.state = 'active' THEN 'Cut over to another version first.'
                WHEN v.state = 'draining'
                    THEN format('It retires by itself at %s.', to_char(v.retire_at, 'YYYY-MM-DD HH24:MI'))
                ELSE 'See pgvec.version_status.' END
      FROM pgvec.get_version($1, $2) v
     CROSS JOIN (SELECT coalesce(array_agg(DISTINCT s.from_state ORDER BY s.from_state), '{}') AS needed
                   FROM pgvec.state_change() s WHERE s.verb = $3 AND ($4 IS NULL OR s.to_state = $4)) n
     WHERE v.state <> ALL (n.needed);
$$;
