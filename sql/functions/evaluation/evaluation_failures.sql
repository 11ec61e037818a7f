-- For check_gate: why an evaluation is not fit to judge a version by: its age, its number of queries, an index that was
-- built since, chunks that were added or deleted since, or another active version than it was compared with.
-- Arguments:
--   active  the label of the active version, or NULL
-- Shape: an array of {"check", "needed", "found", …}, empty when the evaluation is fit.
CREATE OR REPLACE FUNCTION pgvec.evaluation_failures(gate pgvec.gate, evaluation pgvec.evaluation,
                                                     v pgvec.model_version, active text)
RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    failures jsonb := '[]';
    age CONSTANT interval := clock_timestamp() - evaluation.at;
    chunks bigint;
    changed double precision;
BEGIN
    IF age > gate.max_age THEN
        failures := failures || jsonb_build_object(
            'check', 'age', 'needed', gate.max_age, 'found', date_trunc('second', age));
    END IF;
    IF evaluation.queries < gate.min_queries THEN
        failures := failures || jsonb_build_object(
            'check', 'queries', 'needed', gate.min_queries, 'found', evaluation.queries);
    END IF;
    IF evaluation.index_mark IS DISTINCT FROM pgvec.index_mark(v.collection, v.model_version) THEN
        failures := failures || jsonb_build_object(
            'check', 'index', 'needed', 'the index that was evaluated', 'found', 'another build');
    END IF;
    IF v.dropped_at IS NULL THEN
        EXECUTE format('SELECT count(*) FROM pgvec_leaves.%I', v.leaf) INTO chunks;
        changed := abs(chunks - coalesce(evaluation.chunks, 0)) / greatest(evaluation.chunks, 1)::double precision;
        IF changed > gate.max_changed THEN
            failures := failures || jsonb_build_object(
                'check', 'chunks', 'needed', gate.max_changed, 'found', changed,
                'evaluated', evaluation.chunks, 'now', chunks);
        END IF;
    END IF;
    IF active IS DISTINCT FROM evaluation.baseline_version AND active <> v.model_version
       AND jsonb_path_exists(gate.bounds, '$.*.keyvalue() ? (@.key == "max_drop" || @.key == "max_rise")') THEN
        failures := failures || jsonb_build_object(
            'check', 'baseline', 'needed', active, 'found', evaluation.baseline_version);
    END IF;
    RETURN failures;
END
$$;
