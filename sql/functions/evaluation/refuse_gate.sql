-- A row of PV080 when the gate stops a version, or no row. DETAIL holds the numbers.
-- Arguments:
--   verdict  what check_gate found
CREATE OR REPLACE FUNCTION pgvec.refuse_gate(verdict jsonb)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'PV080',
           format('the gate of %s stops %s: %s.', $1 ->> 'collection', $1 ->> 'model_version',
                  (SELECT string_agg(pgvec.gate_failure(f), '; ') FROM jsonb_array_elements($1 -> 'failures') f)),
           $1,
           format('Record an evaluation: SELECT pgvec.record_evaluation(%L, %L, …). '
                  'Or, knowingly: SELECT pgvec.cut_over(%1$L, %2$L, force => true, reason => ''…'');',
                  $1 ->> 'collection', $1 ->> 'model_version')
     WHERE NOT ($1 ->> 'passed')::boolean;
$$;
