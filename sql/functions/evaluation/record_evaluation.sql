-- Records what you measured of a version. Appends a row; nothing else changes.
-- Arguments:
--   metrics, baseline  name to number, of model_version and of baseline_version
--   queries            how many queries the figures rest on
--   kind               where the queries are from: labelled, known_item, recorded or shadow
--   index_mark         pgvec.index_mark from before you measured; by default as it is now
-- Returns the evaluation's id.
-- Raises: PV001 (no such collection), PV002 (no such version), PV005 (not ready, active or draining), PV007 (an
-- argument).
CREATE OR REPLACE FUNCTION pgvec.record_evaluation(collection text, model_version text, metrics jsonb, queries integer,
                                                   kind text DEFAULT 'labelled', baseline_version text DEFAULT NULL,
                                                   baseline jsonb DEFAULT '{}', detail jsonb DEFAULT '{}',
                                                   index_mark bigint DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    mark bigint;
    chunks bigint;
    new_id bigint;
BEGIN
    IF v.state NOT IN ('ready', 'active', 'draining') THEN
        PERFORM pgvec.raise_error('PV005',
            format('record_evaluation: version %s of %s is %s: it answers no queries yet.', v.model_version,
                   v.collection, v.state),
            jsonb_build_object('collection', collection, 'model_version', model_version, 'state', v.state),
            'Make it ready first.');
    END IF;
    IF baseline_version IS NOT NULL THEN
        PERFORM pgvec.get_version(collection, baseline_version);
    END IF;
    IF kind IS NULL OR kind NOT IN ('labelled', 'known_item', 'recorded', 'shadow') THEN
        PERFORM pgvec.raise_error('PV007', format('unknown kind %L.', kind), jsonb_build_object('kind', kind),
            'Use labelled, known_item, recorded or shadow.');
    END IF;
    IF queries IS NULL OR queries < 0 THEN
        PERFORM pgvec.raise_error('PV007', 'queries must be 0 or more.', jsonb_build_object('queries', queries));
    END IF;
    PERFORM pgvec.check_figures(metrics);
    PERFORM pgvec.check_figures(baseline);
    IF jsonb_typeof(detail) <> 'object' THEN
        PERFORM pgvec.raise_error('PV007', 'detail must be a JSON object.',
            jsonb_build_object('detail', jsonb_typeof(detail)));
    END IF;
    mark := coalesce(index_mark, pgvec.index_mark(collection, model_version));
    EXECUTE format('SELECT count(*) FROM pgvec_leaves.%I', v.leaf) INTO chunks;
    INSERT INTO pgvec.evaluation (collection, model_version, baseline_version, kind, queries, metrics, baseline,
                                  detail, chunks, index_mark)
    VALUES (v.collection, v.model_version, baseline_version, kind, queries, metrics, baseline,
            coalesce(detail, '{}'), chunks, mark)
    RETURNING evaluation_id INTO new_id;
    RETURN new_id;
END
$$;
