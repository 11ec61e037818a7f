-- One failure that check_gate found, as a sentence without its full stop.
CREATE OR REPLACE FUNCTION pgvec.gate_failure(failure jsonb)
RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE f."check"
        WHEN 'evaluation' THEN format('an evaluation is needed (%s), there is none', f.needed)
        WHEN 'age' THEN format('its evaluation is %s old, at most %s', f.found, f.needed)
        WHEN 'queries' THEN format('its evaluation rests on %s queries, at least %s', f.found, f.needed)
        WHEN 'index' THEN 'its index was built again since it was evaluated'
        WHEN 'chunks' THEN format('it was evaluated with %s chunks and has %s', f.evaluated, f.now)
        WHEN 'baseline' THEN format('it was compared with %s, active is %s', coalesce(f.found, 'nothing'), f.needed)
        ELSE format('%s is %s, %s', f."check", coalesce(round(f.found::numeric, 4)::text, 'not known'),
                    CASE f.bound
                        WHEN 'min' THEN format('at least %s', f.needed)
                        WHEN 'max' THEN format('at most %s', f.needed)
                        WHEN 'max_drop' THEN format('at most %s below %s', f.needed, b.baseline)
                        ELSE format('at most %s above %s', f.needed, b.baseline)
                    END) END
      FROM jsonb_to_record(failure) f ("check" text, bound text, needed text, found text, evaluated text, now text,
                                       baseline text)
     CROSS JOIN LATERAL (SELECT coalesce(round(f.baseline::numeric, 4)::text, 'what is not known')) b (baseline);
$$;
