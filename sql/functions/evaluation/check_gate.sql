-- Says what a collection's gate finds of a version now. It looks at the newest evaluation that counts: shadowed and
-- recorded queries never do, known-item queries only where the gate does not demand labels. Changes nothing.
-- Shape: {"gated", "passed", "collection", "model_version", "active", "failures": [{"check", "needed", "found", …}]},
-- and of the evaluation, where there is a gate, "evaluation_id" and "evaluated_at".
-- Raises: PV001 (no such collection), PV002 (no such version).
CREATE OR REPLACE FUNCTION pgvec.check_gate(collection text, model_version text)
RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    active CONSTANT text := pgvec.active_version(collection);
    verdict CONSTANT jsonb := jsonb_build_object('collection', collection, 'model_version', model_version,
                                                 'active', active);
    gate pgvec.gate;
    evaluation pgvec.evaluation;
    failures jsonb;
BEGIN
    SELECT g.* INTO gate FROM pgvec.gate g WHERE g.collection = v.collection;
    IF NOT FOUND THEN
        RETURN verdict || jsonb_build_object('gated', false, 'passed', true, 'failures', jsonb_build_array());
    END IF;
    SELECT e.* INTO evaluation FROM pgvec.evaluation e
     WHERE e.collection = v.collection AND e.model_version = v.model_version
       AND (e.kind = 'labelled' OR (e.kind = 'known_item' AND NOT gate.labelled))
     ORDER BY e.evaluation_id DESC LIMIT 1;
    IF FOUND THEN
        failures := pgvec.evaluation_failures(gate, evaluation, v, active)
            || pgvec.bound_failures(gate, evaluation, compared => active <> v.model_version);
    ELSE
        failures := jsonb_build_array(jsonb_build_object(
            'check', 'evaluation',
            'needed', CASE WHEN gate.labelled THEN 'one with labelled queries' ELSE 'one' END,
            'found', 'none'));
    END IF;
    RETURN verdict || jsonb_build_object(
        'gated', true, 'passed', failures = '[]', 'evaluation_id', evaluation.evaluation_id,
        'evaluated_at', evaluation.at, 'failures', failures);
END
$$;
