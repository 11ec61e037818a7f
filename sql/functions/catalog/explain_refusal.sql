-- Words one refusal for a dry run: the problems of a version one by one, the gate's failures too,
-- everything else as the verb would word it.
-- Shape: a sentence and its data.
CREATE OR REPLACE FUNCTION pgvec.explain_refusal(message text, detail jsonb, hint text)
RETURNS TABLE (what text, data jsonb) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('%s: %s. %s', replace(p.key, '_', ' '), p.value #>> '{}',
                  pgvec.what_to_do($2 ->> 'collection', $2 ->> 'model_version', jsonb_build_object(p.key, p.value))),
           jsonb_build_object(p.key, p.value)
      FROM jsonb_each($2 -> 'problems') p
    UNION ALL
    SELECT format('the gate stops %s: %s', $2 ->> 'model_version', pgvec.gate_failure(f)),
           jsonb_build_object('gate', jsonb_build_array(f))
      FROM jsonb_array_elements($2 -> 'failures') f
    UNION ALL
    SELECT concat_ws(' ', regexp_replace($1, '^[a-z_]+: ', ''), $3), $2
     WHERE NOT $2 ?| ARRAY['problems', 'failures'];
$$;
