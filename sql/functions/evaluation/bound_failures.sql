-- For check_gate: which bounds of a gate an evaluation does not keep, by metric and bound.
-- Arguments:
--   compared  whether max_drop and max_rise count; without another active version there is nothing to fall behind
-- Shape: an array of {"check", "bound", "needed", "found", …}, empty when it keeps them all.
CREATE OR REPLACE FUNCTION pgvec.bound_failures(gate pgvec.gate, evaluation pgvec.evaluation, compared boolean)
RETURNS jsonb LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    -- What was not measured keeps no bound: hence each coalesce to true.
    WITH bound AS (
        SELECT m.key AS metric, b.key AS kind, (b.value #>> '{}')::double precision AS value,
               ((evaluation).metrics ->> m.key)::double precision AS found,
               ((evaluation).baseline ->> m.key)::double precision AS baseline
          FROM jsonb_each((gate).bounds) m CROSS JOIN LATERAL jsonb_each(m.value) b
    ), failure AS (
        SELECT b.metric, b.kind,
               jsonb_build_object('check', b.metric, 'bound', b.kind, 'needed', b.value, 'found', b.found) AS detail
          FROM bound b
         WHERE b.kind IN ('min', 'max')
           AND coalesce(CASE b.kind WHEN 'min' THEN b.found < b.value ELSE b.found > b.value END, true)
        UNION ALL
        SELECT b.metric, b.kind,
               jsonb_build_object('check', b.metric, 'bound', b.kind, 'needed', b.value, 'found', b.found,
                                  'baseline', b.baseline)
          FROM bound b
         WHERE b.kind IN ('max_drop', 'max_rise') AND compared
           AND coalesce(CASE b.kind WHEN 'max_drop' THEN b.baseline - b.found > b.value
                                    ELSE b.found - b.baseline > b.value END, true)
    )
    SELECT coalesce(jsonb_agg(f.detail ORDER BY f.metric, f.kind), '[]') FROM failure f;
$$;
