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
        PERFORM pgvec.raise_error('PV007', 'cut_over: force needs a reason: it is what the record will say.', jsonb_build_object('collection', collection, 'model_version', model_version),
            'Such as reason => ''the old model''''s provider is down''.');
    END IF;
    IF v.state <> 'ready' THEN
        RETURN jsonb_build_object('gated', false, 'passed', true);
    END IF;
    said := pgvec.check_gate(collection, model_version);
    IF (said ->> 'passed')::boolean OR force THEN
        IF (said ->> 'gated')::boolean THEN
            PERFORM pgvec.log_event(collection, model_version, CASE WHEN (said ->> 'passed')::boolean THEN 'gate_passed' ELSE 'gate_forced' END, v.state, v.state,
                jsonb_strip_nulls(jsonb_build_object('evaluation_id', said -> 'evaluation_id', 'failures', said -> 'failures', 'reason', reason)));
        END IF;
        RETURN said;
    END IF;
    PERFORM pgvec.raise_error('PV080', format('the gate of %s stops %s: %s.', collection, model_version,
            (SELECT string_agg(CASE f ->> 'check'
                    WHEN 'evaluation' THEN format('an evaluation is needed (%s), there is none', f ->> 'needed')
                    WHEN 'age' THEN format('its evaluation is %s old, at most %s', f ->> 'found', f ->> 'needed')
                    WHEN 'queries' THEN format('its evaluation rests on %s queries, at least %s', f ->> 'found', f ->> 'needed')
                    WHEN 'index' THEN 'its index was built again since it was evaluated'
                    WHEN 'chunks' THEN format('it was evaluated with %s chunks and has %s', f ->> 'evaluated', f ->> 'now')
                    WHEN 'baseline' THEN format('it was compared with %s, active is %s', coalesce(f ->> 'found', 'nothing'), f ->> 'needed')
                    ELSE format('%s is %s, %s', f ->> 'check', coalesce(round((f ->> 'found')::numeric, 4)::text, 'not known'),
                                CASE f ->> 'bound' WHEN 'min' THEN format('at least %s', f ->> 'needed') WHEN 'max' THEN format('at most %s', f ->> 'needed')
                                     WHEN 'max_drop' THEN format('at most %s below %s', f ->> 'needed', coalesce(round((f ->> 'baseline')::numeric, 4)::text, 'what is not known'))
                                     ELSE format('at most %s above %s', f ->> 'needed', coalesce(round((f ->> 'baseline')::numeric, 4)::text, 'what is not known')) END) END, '; ')
               FROM jsonb_array_elements(said -> 'failures') f)),
        said, format('Evaluate it: pgvec evaluate %s; read pgvec report. Or, knowingly: pgvec.cut_over(%L, %L, force => true, reason => ''…'').', model_version, collection, model_version));
    RETURN NULL;
END
$$;
