-- The one place where a version's state changes: a guarded UPDATE, its timestamps and its event.
-- Promise: only the changes of the state table happen; the caller holds the collection's row lock.
-- Raises PV002, and PV005 when the version is not in one of the states the verb starts from.
CREATE OR REPLACE FUNCTION pgvec.change_state(collection text, model_version text, verb text, from_states text[], to_state text, detail jsonb DEFAULT '{}')
RETURNS pgvec.model_version LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before pgvec.model_version := pgvec.get_version(collection, model_version);
    after pgvec.model_version;
    happened_at timestamptz := clock_timestamp();
    rules CONSTANT jsonb := '{"building": ["ready", "abandoned"], "ready": ["building", "active", "abandoned"],
                              "active": ["draining"], "draining": ["active", "retired"], "retired": [], "abandoned": []}';
BEGIN
    UPDATE pgvec.model_version v
       SET state = change_state.to_state,
           follows = CASE WHEN change_state.to_state = 'draining'
                          THEN (SELECT c.follow_while_draining FROM pgvec.collection c WHERE c.collection = v.collection)
                          ELSE true END,
           ready_at = CASE change_state.to_state WHEN 'ready' THEN happened_at WHEN 'building' THEN NULL ELSE v.ready_at END,
           activated_at = CASE WHEN change_state.to_state = 'active' THEN happened_at ELSE v.activated_at END,
           draining_at = CASE WHEN change_state.to_state = 'draining' THEN happened_at ELSE v.draining_at END,
           retired_at = CASE WHEN change_state.to_state = 'retired' THEN happened_at ELSE v.retired_at END,
           abandoned_at = CASE WHEN change_state.to_state = 'abandoned' THEN happened_at ELSE v.abandoned_at END,
           dropped_at = CASE WHEN change_state.to_state = 'retired' THEN happened_at ELSE v.dropped_at END,
           retire_at = CASE change_state.to_state
                           WHEN 'draining' THEN happened_at + (SELECT c.retire_after FROM pgvec.collection c WHERE c.collection = v.collection)
                           WHEN 'abandoned' THEN happened_at
                           WHEN 'retired' THEN v.retire_at END
     WHERE v.collection = change_state.collection AND v.model_version = change_state.model_version
       AND v.state = ANY (from_states) AND rules -> v.state ? change_state.to_state
    RETURNING v.* INTO after;
    IF NOT FOUND THEN
        PERFORM pgvec.raise_error('PV005',
            format('%s: version %s of %s is %s, not %s.', verb, model_version, collection, before.state, array_to_string(from_states, ' or ')),
            jsonb_build_object('collection', collection, 'model_version', model_version, 'state', before.state, 'needed', from_states, 'verb', verb),
            CASE
                WHEN before.state = to_state THEN 'Nothing to do.'
                WHEN before.state = 'retired' OR before.state = 'abandoned' THEN 'It is gone for good; register a version with a new label.'
                WHEN before.state = 'building' AND to_state = 'active' THEN format('Make it ready first: SELECT pgvec.make_ready(%L, %L).', collection, model_version)
                WHEN before.state = 'draining' AND to_state = 'active' THEN format('Go back to it with: SELECT pgvec.roll_back(%L).', collection)
                WHEN before.state = 'active' THEN 'Cut over to another version first.'
                WHEN before.state = 'draining' THEN format('It goes by itself at %s.', to_char(before.retire_at, 'YYYY-MM-DD HH24:MI'))
                ELSE 'See pgvec.version_status.'
            END);
    END IF;
    PERFORM pgvec.log_event(collection, model_version, verb, before.state, to_state, detail);
    RETURN after;
END
$$;
