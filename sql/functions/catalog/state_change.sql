-- The state table, the one place where it stands: where each verb starts, and where the version is afterwards. What
-- build_index, plan_backfill and pause start from are the live states: they keep the state. cut_over and roll_back
-- change two versions: the one that comes, and from active to draining the one that goes.
-- Shape: a row a verb and state it starts from. register_version starts from none.
CREATE OR REPLACE FUNCTION pgvec.state_change()
RETURNS TABLE (verb text, from_state text, to_state text) LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.verb, f.from_state, coalesce(r.to_state, f.from_state)
      FROM (VALUES ('register_version', ARRAY[NULL]::text[], 'building'),
                   ('plan_backfill', '{building,ready,active,draining}', NULL),
                   ('build_index', '{building,ready,active,draining}', NULL),
                   ('pause', '{building,ready,active,draining}', NULL),
                   ('make_ready', '{building,ready}', 'ready'),
                   ('make_ready', '{ready}', 'building'),
                   ('cut_over', '{ready}', 'active'),
                   ('cut_over', '{active}', 'draining'),
                   ('roll_back', '{draining}', 'active'),
                   ('roll_back', '{active}', 'draining'),
                   ('abandon', '{building,ready}', 'abandoned'),
                   ('retire', '{draining}', 'retired'),
                   -- Only while pgvec.archive says that its leaf was kept.
                   ('restore', '{retired}', 'draining')) r (verb, from_states, to_state)
     CROSS JOIN LATERAL unnest(r.from_states) f (from_state);
$$;
