-- What a collection's gate says to a version now. Judges by the newest evaluation that the gate takes: shadowed and
-- recorded queries never count, known-item queries only where labels are not demanded. Changes nothing.
-- Shape: {"gated", "passed", "collection", "model_version", "active", "evaluation_id", "failures": [{"check", "needed", "found", …}]}.
-- Raises PV001, PV002.
CREATE OR REPLACE FUNCTION pgvec.check_gate(collection text, model_version text)
RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    g pgvec.gate;
    e pgvec.evaluation;
    active text := pgvec.active_version(collection);
    failures jsonb := '[]';
    chunks bigint;
    changed double precision;
    b record;
    found_value double precision;
    before_value double precision;
BEGIN
    SELECT k.* INTO g FROM pgvec.gate k WHERE k.collection = v.collection;
    IF NOT FOUND THEN
        RETURN jsonb_build_object('gated', false, 'passed', true, 'collection', collection, 'model_version', model_version, 'active', active, 'failures', failures);
    END IF;
    SELECT k.* INTO e FROM pgvec.evaluation k
     WHERE k.collection = v.collection AND k.model_version = v.model_version AND (k.kind = 'labelled' OR (k.kind = 'known_item' AND NOT g.labelled))
     ORDER BY k.evaluation_id DESC LIMIT 1;
    IF NOT FOUND THEN
        failures := failures || jsonb_build_object('check', 'evaluation', 'needed', CASE WHEN g.labelled THEN 'one with labelled queries' ELSE 'one' END, 'found', 'none');
    ELSE
        IF clock_timestamp() - e.at > g.max_age THEN
            failures := failures || jsonb_build_object('check', 'age', 'needed', g.max_age, 'found', date_trunc('second', clock_timestamp() - e.at));
        END IF;
        IF e.queries < g.min_queries THEN
            failures := failures || jsonb_build_object('check', 'queries', 'needed', g.min_queries, 'found', e.queries);
        END IF;
        IF e.index_mark IS DISTINCT FROM pgvec.index_mark(collection, model_version) THEN
            failures := failures || jsonb_build_object('check', 'index', 'needed', 'the index that was evaluated', 'found', 'another build');
        END IF;
        IF v.dropped_at IS NULL THEN
            EXECUTE format('SELECT count(*) FROM pgvec_leaves.%I', v.leaf) INTO chunks;
            changed := abs(chunks - coalesce(e.chunks, 0)) / greatest(e.chunks, 1)::double precision;
            IF changed > g.max_changed THEN
                failures := failures || jsonb_build_object('check', 'chunks', 'needed', g.max_changed, 'found', changed, 'evaluated', e.chunks, 'now', chunks);
            END IF;
        END IF;
        IF active IS DISTINCT FROM e.baseline_version AND active <> v.model_version
           AND jsonb_path_exists(g.bounds, '$.*.keyvalue() ? (@.key == "max_drop" || @.key == "max_rise")') THEN
            failures := failures || jsonb_build_object('check', 'baseline', 'needed', active, 'found', e.baseline_version);
        END IF;
        FOR b IN SELECT m.key AS metric, k.key AS kind, (k.value #>> '{}')::double precision AS value
                   FROM jsonb_each(g.bounds) m CROSS JOIN LATERAL jsonb_each(m.value) k ORDER BY m.key, k.key LOOP
            found_value := (e.metrics ->> b.metric)::double precision;
            before_value := (e.baseline ->> b.metric)::double precision;
            IF b.kind IN ('min', 'max') THEN
                IF found_value IS NULL OR (b.kind = 'min' AND found_value < b.value) OR (b.kind = 'max' AND found_value > b.value) THEN
                    failures := failures || jsonb_build_object('check', b.metric, 'bound', b.kind, 'needed', b.value, 'found', found_value);
                END IF;
            -- Without an active version there is nothing to fall behind.
            ELSIF active IS NOT NULL AND active <> v.model_version AND (found_value IS NULL OR before_value IS NULL
                  OR (b.kind = 'max_drop' AND before_value - found_value > b.value) OR (b.kind = 'max_rise' AND found_value - before_value > b.value)) THEN
                failures := failures || jsonb_build_object('check', b.metric, 'bound', b.kind, 'needed', b.value, 'found', found_value, 'baseline', before_value);
            END IF;
        END LOOP;
    END IF;
    RETURN jsonb_build_object('gated', true, 'passed', failures = '[]', 'collection', collection, 'model_version', model_version, 'active', active,
                              'evaluation_id', e.evaluation_id, 'evaluated_at', e.at, 'failures', failures);
END
$$;
