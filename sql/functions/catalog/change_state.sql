-- Changes the state of a version, with its timestamps and its event. It is the one place that does: a guarded UPDATE.
-- Promise: only the changes of pgvec.state_change happen; the caller holds the collection's row lock.
-- Raises: PV001, PV002, PV005 (the verb does not lead there from its state), PV009 (it changed at this moment).
CREATE OR REPLACE FUNCTION pgvec.change_state(collection text, model_version text, verb text, to_state text,
                                              detail jsonb DEFAULT '{}')
RETURNS pgvec.model_version LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before pgvec.model_version := pgvec.get_version(collection, model_version);
    after pgvec.model_version;
    happened_at timestamptz := clock_timestamp();
BEGIN
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
       FROM pgvec.refuse_state(collection, model_version, verb, to_state) r;
    UPDATE pgvec.model_version v
       SET state = change_state.to_state,
           follows = CASE WHEN change_state.to_state = 'draining'
                          THEN (SELECT c.follow_while_draining FROM pgvec.collection c
                                 WHERE c.collection = v.collection)
                          ELSE true END,
           ready_at = CASE change_state.to_state WHEN 'ready' THEN happened_at WHEN 'building' THEN NULL
                                                 ELSE v.ready_at END,
           activated_at = CASE WHEN change_state.to_state = 'active' THEN happened_at ELSE v.activated_at END,
           draining_at = CASE WHEN change_state.to_state = 'draining' THEN happened_at ELSE v.draining_at END,
           retired_at = CASE WHEN change_state.to_state = 'retired' THEN happened_at ELSE v.retired_at END,
           abandoned_at = CASE WHEN change_state.to_state = 'abandoned' THEN happened_at ELSE v.abandoned_at END,
           dropped_at = CASE WHEN change_state.to_state = 'retired' THEN happened_at ELSE v.dropped_at END,
           retire_at = CASE change_state.to_state
                           WHEN 'draining' THEN happened_at + (SELECT c.retire_after FROM pgvec.collection c
                                                                WHERE c.collection = v.collection)
                           WHEN 'abandoned' THEN happened_at
                           WHEN 'retired' THEN v.retire_at END
     WHERE v.collection = change_state.collection AND v.model_version = change_state.model_version
       AND v.state = before.state
    RETURNING v.* INTO after;
    IF NOT FOUND THEN
        PERFORM pgvec.raise_error('PV009',
            format('%s: version %s of %s changed at this moment.', verb, model_version, collection),
            jsonb_build_object('collection', collection, 'model_version', model_version, 'verb', verb), 'Call again.');
    END IF;
    PERFORM pgvec.log_event(collection, model_version, verb, before.state, to_state, detail);
    RETURN after;
END
$$;
