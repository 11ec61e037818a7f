-- Lets a ready version through the gate, or raises. With force it goes through all the same, for a reason that is
-- recorded. Returns what check_gate said. Versions in another state are left to switch_active to refuse.
-- Raises PV001, PV002, PV007 (force without a reason), PV080 (DETAIL holds the numbers).
CREATE OR REPLACE FUNCTION pgvec.pass_gate(collection text, model_version text, force boolean, reason text)
RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    said jsonb;
BEGIN
    IF force AND coalesce(btrim(reason), '') = '' THEN
        PERFORM pgvec.raise_error('PV007', 'cut_over: force needs a reason: it is what the record will say.',
            jsonb_build_object('collection', collection, 'model_version', model_version),
            'Such as reason => ''the old model''''s provider is down''.');
    END IF;
    IF v.state <> 'ready' THEN
        RETURN jsonb_build_object('gated', false, 'passed', true);
    END IF;
    said := pgvec.check_gate(collection, model_version);
    IF NOT force THEN
        PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint) FROM pgvec.refuse_gate(said) r;
    END IF;
    IF (said ->> 'gated')::boolean THEN
        PERFORM pgvec.log_event(collection, model_version,
            CASE WHEN (said ->> 'passed')::boolean THEN 'gate_passed' ELSE 'gate_forced' END, v.state, v.state,
            jsonb_strip_nulls(jsonb_build_object('evaluation_id', said -> 'evaluation_id',
                                                 'failures', said -> 'failures', 'reason', reason)));
    END IF;
    RETURN said;
END
$$;
