-- Lets a ready version through the collection's gate, or raises. With force it goes through whatever the gate finds,
-- for a reason that is recorded. Passes a version in another state, which switch_active refuses.
-- Returns what check_gate found.
-- Raises: PV001 (no such collection), PV002 (no such version), PV007 (force without a reason), PV080 (the gate; DETAIL
-- holds the numbers).
CREATE OR REPLACE FUNCTION pgvec.pass_gate(collection text, model_version text, force boolean, reason text)
RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    verdict jsonb;
BEGIN
    IF force AND coalesce(btrim(reason), '') = '' THEN
        PERFORM pgvec.raise_error('PV007', 'cut_over: force needs a reason: it is what the record will say.',
            jsonb_build_object('collection', collection, 'model_version', model_version),
            'Such as reason => ''the old model''''s provider is down''.');
    END IF;
    IF v.state <> 'ready' THEN
        RETURN jsonb_build_object('gated', false, 'passed', true);
    END IF;
    verdict := pgvec.check_gate(collection, model_version);
    IF NOT force THEN
        PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint) FROM pgvec.refuse_gate(verdict) r;
    END IF;
    IF (verdict ->> 'gated')::boolean THEN
        PERFORM pgvec.log_event(collection, model_version,
            CASE WHEN (verdict ->> 'passed')::boolean THEN 'gate_passed' ELSE 'gate_forced' END, v.state, v.state,
            jsonb_strip_nulls(jsonb_build_object('evaluation_id', verdict -> 'evaluation_id',
                                                 'failures', verdict -> 'failures', 'reason', reason)));
    END IF;
    RETURN verdict;
END
$$;
