-- Returns the state table: from which state each verb starts, and in which state the version is afterwards. It is
-- defined only here. build_index, plan_backfill and pause start from the live states and keep the state. cut_over and
-- roll_back change two versions: the one that becomes active, and the active one, which drains.
-- Shape: a row for each verb and state it starts from. register_version starts from none.
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
