-- Writes down what was measured of a version. Appends; nothing else changes.
--   metrics, baseline  name to number, of model_version and of baseline_version
--   index_mark         pgvec.index_mark as it was before measuring; by default as it is now
-- Returns the evaluation's id. Raises PV001, PV002, PV005 (not ready, active or draining), PV007 (argument).
CREATE OR REPLACE FUNCTION pgvec.record_evaluation(collection text, model_version text, metrics jsonb, queries integer, kind text DEFAULT 'labelled',
                                                   baseline_version text DEFAULT NULL, baseline jsonb DEFAULT '{}', detail jsonb DEFAULT '{}', index_mark bigint DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    figures jsonb;
    chunks bigint;
    made bigint;
BEGIN
    IF v.state NOT IN ('ready', 'active', 'draining') THEN
        PERFORM pgvec.raise_error('PV005', format('record_evaluation: version %s of %s is %s: it answers no queries yet.', v.model_version, v.collection, v.state),
            jsonb_build_object('collection', collection, 'model_version', model_version, 'state', v.state), 'Make it ready first.');
    END IF;
    IF baseline_version IS NOT NULL THEN
        PERFORM pgvec.get_version(collection, baseline_version);
    END IF;
    IF kind IS NULL OR kind NOT IN ('labelled', 'known_item', 'recorded', 'shadow') THEN
        PERFORM pgvec.raise_error('PV007', format('unknown kind %L.', kind), jsonb_build_object('kind', kind), 'Use labelled, known_item, recorded or shadow.');
    END IF;
    IF queries IS NULL OR queries < 0 THEN
        PERFORM pgvec.raise_error('PV007', 'queries must be 0 or more.', jsonb_build_object('queries', queries));
    END IF;
    FOREACH figures IN ARRAY ARRAY[metrics, baseline] LOOP
        IF jsonb_typeof(figures) IS DISTINCT FROM 'object' OR EXISTS (SELECT FROM jsonb_each(figures) n WHERE NOT pgvec.is_figure(n.value)) THEN
            PERFORM pgvec.raise_error('PV007', 'metrics and baseline must be objects of numbers.', jsonb_build_object('given', figures), 'Such as {"recall@10": 0.98}.');
        END IF;
    END LOOP;
    IF jsonb_typeof(detail) <> 'object' THEN
        PERFORM pgvec.raise_error('PV007', 'detail must be a JSON object.',
            jsonb_build_object('detail', jsonb_typeof(detail)));
    END IF;
    EXECUTE format('SELECT count(*) FROM pgvec_leaves.%I', v.leaf) INTO chunks;
    INSERT INTO pgvec.evaluation (collection, model_version, baseline_version, kind, queries, metrics, baseline, detail, chunks, index_mark)
    VALUES (v.collection, v.model_version, record_evaluation.baseline_version, record_evaluation.kind, record_evaluation.queries, record_evaluation.metrics,
            record_evaluation.baseline, coalesce(record_evaluation.detail, '{}'), chunks, coalesce(record_evaluation.index_mark, pgvec.index_mark(collection, model_version)))
    RETURNING evaluation_id INTO made;
    RETURN made;
END
$$;
