-- Whether a roll-back to a draining version would undo an earlier one: the version drains because somebody rolled back
-- from it. False for a version that does not drain.
CREATE OR REPLACE FUNCTION pgvec.undoes_roll_back(collection text, model_version text)
RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((SELECT e.verb = 'roll_back'
                       FROM pgvec.model_version v
                       JOIN pgvec.version_event e USING (collection, model_version)
                      WHERE v.collection = $1 AND v.model_version = $2 AND v.state = 'draining'
                        AND e.to_state = 'draining' AND e.from_state = 'active'
                      ORDER BY e.event_id DESC LIMIT 1), false);
$$;
