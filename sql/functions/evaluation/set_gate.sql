-- Demands an evaluation before every cut-over of a collection; replaces an earlier gate. Recorded in version_event.
-- An argument that is NULL keeps the value of the earlier gate; without one it has the value in brackets.
-- Arguments:
--   bounds       metric to bounds: {"recall@10": {"min": 0.95}, "ndcg@10": {"max_drop": 0.01}}
--                min and max hold for the version itself, max_drop and max_rise against the active version
--   max_age      how old the evaluation may be (7 days)
--   min_queries  how many queries it must rest on (20)
--   labelled     only an evaluation with labelled queries counts; otherwise one with known-item queries too (false)
--   max_changed  by what share the number of chunks may have changed since (0.1)
-- Returns the gate that it replaced, or NULL.
-- Raises: PV001 (no such collection), PV007 (an argument, an unknown metric).
CREATE OR REPLACE FUNCTION pgvec.set_gate(collection text, bounds jsonb DEFAULT NULL, max_age interval DEFAULT NULL,
                                          min_queries integer DEFAULT NULL, labelled boolean DEFAULT NULL,
                                          max_changed double precision DEFAULT NULL)
RETURNS pgvec.gate LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old_gate pgvec.gate;
    new_gate pgvec.gate;
BEGIN
    PERFORM pgvec.get_collection(collection);
    SELECT g.* INTO old_gate FROM pgvec.gate g WHERE g.collection = set_gate.collection FOR UPDATE;
    IF bounds IS NOT NULL OR old_gate.bounds IS NULL THEN
        PERFORM pgvec.check_bounds(collection, bounds);
    END IF;
    new_gate.bounds := coalesce(bounds, old_gate.bounds);
    new_gate.max_age := coalesce(max_age, old_gate.max_age, interval '7 days');
    new_gate.min_queries := coalesce(min_queries, old_gate.min_queries, 20);
    new_gate.labelled := coalesce(labelled, old_gate.labelled, false);
    new_gate.max_changed := coalesce(max_changed, old_gate.max_changed, 0.1);
    IF new_gate.max_age <= interval '0' OR new_gate.max_age > interval '1000 years' OR new_gate.min_queries < 1
       OR new_gate.max_changed < 0 OR new_gate.max_changed = 'NaN' THEN
        PERFORM pgvec.raise_error('PV007', 'max_age must be more than 0, min_queries 1 or more, max_changed 0 or more.',
            jsonb_build_object('max_age', max_age, 'min_queries', min_queries, 'labelled', labelled,
                               'max_changed', max_changed));
    END IF;
    INSERT INTO pgvec.gate AS g (collection, bounds, max_age, min_queries, labelled, max_changed)
    VALUES ($1, new_gate.bounds, new_gate.max_age, new_gate.min_queries, new_gate.labelled, new_gate.max_changed)
    ON CONFLICT ON CONSTRAINT gate_pkey DO UPDATE
       SET bounds = excluded.bounds, max_age = excluded.max_age, min_queries = excluded.min_queries,
           labelled = excluded.labelled, max_changed = excluded.max_changed,
           set_at = clock_timestamp(), set_by = session_user
    RETURNING g.* INTO new_gate;
    PERFORM pgvec.log_event(collection, NULL, 'set_gate', NULL, NULL,
        to_jsonb(new_gate) - '{collection,set_at,set_by}'::text[]
        || CASE WHEN old_gate.collection IS NULL THEN '{}' ELSE jsonb_build_object('replaced', to_jsonb(old_gate)) END);
    IF old_gate.collection IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN old_gate;
END
$$;
