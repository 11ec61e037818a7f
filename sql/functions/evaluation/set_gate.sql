-- Demands an evaluation before every cut-over of a collection; replaces an earlier gate. Recorded in version_event.
-- Arguments:
--   bounds       metric to bounds: {"recall@10": {"min": 0.95}, "ndcg@10": {"max_drop": 0.01}}
--                min and max hold for the version itself, max_drop and max_rise against the active version
--   max_age      how old the evaluation may be
--   min_queries  how many queries it must rest on
--   labelled     only an evaluation with labelled queries counts; otherwise one with known-item queries does too
--   max_changed  by what share the number of chunks may have changed since
-- Raises: PV001 (no such collection), PV007 (an argument).
CREATE OR REPLACE FUNCTION pgvec.set_gate(collection text, bounds jsonb, max_age interval DEFAULT '7 days',
                                          min_queries integer DEFAULT 20, labelled boolean DEFAULT false,
                                          max_changed double precision DEFAULT 0.1)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgvec.get_collection(collection);
    PERFORM pgvec.check_bounds(bounds);
    IF max_age IS NULL OR max_age <= interval '0' OR max_age > interval '1000 years'
       OR min_queries IS NULL OR min_queries < 1 OR labelled IS NULL
       OR max_changed IS NULL OR max_changed < 0 OR max_changed = 'NaN' THEN
        PERFORM pgvec.raise_error('PV007', 'max_age must be more than 0, min_queries 1 or more, max_changed 0 or more.',
            jsonb_build_object('max_age', max_age, 'min_queries', min_queries, 'labelled', labelled,
                               'max_changed', max_changed));
    END IF;
    INSERT INTO pgvec.gate AS g (collection, bounds, max_age, min_queries, labelled, max_changed)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT ON CONSTRAINT gate_pkey DO UPDATE
       SET bounds = excluded.bounds, max_age = excluded.max_age, min_queries = excluded.min_queries,
           labelled = excluded.labelled, max_changed = excluded.max_changed,
           set_at = clock_timestamp(), set_by = session_user;
    PERFORM pgvec.log_event(collection, NULL, 'set_gate', NULL, NULL,
        jsonb_build_object('bounds', bounds, 'max_age', max_age, 'min_queries', min_queries, 'labelled', labelled,
                           'max_changed', max_changed));
END
$$;
