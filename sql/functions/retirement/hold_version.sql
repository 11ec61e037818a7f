-- Keeps a version from retirement until pgvec.release_version. A second hold replaces the reason of the first.
-- Raises: PV001, PV002, PV005 (the version is already gone), PV007 (no reason given).
CREATE OR REPLACE FUNCTION pgvec.hold_version(collection text, model_version text, reason text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version;
BEGIN
    IF coalesce(btrim(reason), '') = '' THEN
        PERFORM pgvec.raise_error('PV007', 'a hold needs a reason: the next person who finds it will ask.',
            jsonb_build_object('collection', collection, 'model_version', model_version));
    END IF;
    PERFORM pgvec.get_version(collection, model_version);
    -- A retirement keeps this row locked until it has dropped the version. After the wait, get_version sees that.
    PERFORM FROM pgvec.collection c WHERE c.collection = hold_version.collection FOR UPDATE;
    v := pgvec.get_version(collection, model_version);
    IF v.dropped_at IS NOT NULL THEN
        PERFORM pgvec.raise_error('PV005',
            format('hold_version: version %s of %s is gone: it is %s.', model_version, collection, v.state),
            jsonb_build_object('collection', collection, 'model_version', model_version, 'state', v.state),
            'If it was archived: SELECT pgvec.restore_version(…).');
    END IF;
    INSERT INTO pgvec.retirement_hold AS h (collection, model_version, reason)
    VALUES (v.collection, v.model_version, btrim(hold_version.reason))
    ON CONFLICT ON CONSTRAINT retirement_hold_pkey DO UPDATE
       SET reason = excluded.reason, held_by = excluded.held_by, held_at = excluded.held_at;
    PERFORM pgvec.log_event(collection, model_version, 'hold', v.state, v.state,
        jsonb_build_object('reason', btrim(hold_version.reason)));
END
$$;
