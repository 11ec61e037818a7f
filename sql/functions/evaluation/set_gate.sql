-- Demands an evaluation before every cut-over of a collection; replaces an earlier gate.
--   bounds       metric to what it must be: {"recall@10": {"min": 0.95}, "ndcg@10": {"max_drop": 0.01}}
--                min, max: of the version itself; max_drop, max_rise: against the active version
--   max_age      how old the evaluation may be
--   min_queries  how many queries it must rest on
--   labelled     only one with labelled queries counts; otherwise known-item queries do too
--   max_changed  by what share the number of chunks may have changed since
-- Recorded in version_event. Raises PV001, PV007.
CREATE OR REPLACE FUNCTION pgvec.set_gate(collection text, bounds jsonb, max_age interval DEFAULT '7 days', min_queries integer DEFAULT 20,
                                          labelled boolean DEFAULT false, max_changed double precision DEFAULT 0.1)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    metric text;
    bound jsonb;
BEGIN
    PERFORM pgvec.get_collection(collection);
    IF jsonb_typeof(bounds) IS DISTINCT FROM 'object' OR bounds = '{}' THEN
        PERFORM pgvec.raise_error('PV007', 'a gate needs bounds: an object with a metric or more.', jsonb_build_object('bounds', bounds), 'Such as {"recall@10": {"min": 0.95}}.');
    END IF;
    FOR metric, bound IN SELECT b.key, b.value FROM jsonb_each(bounds) b LOOP
        IF jsonb_typeof(bound) <> 'object' OR bound = '{}' OR EXISTS (SELECT FROM jsonb_each(bound) n WHERE NOT pgvec.is_figure(n.value)) OR bound - '{min,max,max_drop,max_rise}'::text[] <> '{}' THEN
            PERFORM pgvec.raise_error('PV007', format('the bound of %s is not min, max, max_drop or max_rise with a number.', metric),
                jsonb_build_object('metric', metric, 'bound', bound), 'Such as {"min": 0.95} or {"max_drop": 0.01}.');
        END IF;
    END LOOP;
    IF max_age IS NULL OR max_age <= interval '0' OR max_age > interval '1000 years' OR max_changed = 'NaN' OR min_queries IS NULL OR min_queries < 1 OR labelled IS NULL OR max_changed IS NULL OR max_changed < 0 THEN
        PERFORM pgvec.raise_error('PV007', 'max_age must be more than 0, min_queries 1 or more, max_changed 0 or more.',
            jsonb_build_object('max_age', max_age, 'min_queries', min_queries, 'labelled', labelled, 'max_changed', max_changed));
    END IF;
    INSERT INTO pgvec.gate AS g (collection, bounds, max_age, min_queries, labelled, max_changed)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT ON CONSTRAINT gate_pkey DO UPDATE
       SET bounds = excluded.bounds, max_age = excluded.max_age, min_queries = excluded.min_queries, labelled = excluded.labelled,
           max_changed = excluded.max_changed, set_at = clock_timestamp(), set_by = session_user;
    PERFORM pgvec.log_event(collection, NULL, 'set_gate', NULL, NULL, jsonb_build_object('bounds', bounds, 'max_age', max_age,
        'min_queries', min_queries, 'labelled', labelled, 'max_changed', max_changed));
END
$$;
