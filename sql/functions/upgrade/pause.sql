-- Pauses the transition of a version: no worker claims work for it any more, and build_index, make_ready and cut_over
-- refuse it. Workers finish what they have claimed, writes still become work items, and queries and roll_back go on.
-- Returns false when the version was paused already.
-- Raises: PV001 (no such collection), PV002 (no such version), PV005 (not live).
CREATE OR REPLACE FUNCTION pgvec.pause(collection text, model_version text, reason text DEFAULT NULL)
RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
BEGIN
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
       FROM pgvec.refuse_state(collection, model_version, 'pause') r;
    UPDATE pgvec.model_version k SET paused_at = clock_timestamp()
     WHERE k.collection = pause.collection AND k.model_version = pause.model_version AND k.paused_at IS NULL;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM pgvec.log_event(collection, model_version, 'pause', v.state, v.state,
        jsonb_strip_nulls(jsonb_build_object('reason', reason)));
    RETURN true;
END
$$;
