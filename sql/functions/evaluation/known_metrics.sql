-- The metrics that pgvec evaluate records: the one list, which a gate's bounds are checked against.
-- Shape: at_k: the name ends with the number of hits that count, as in recall@10. compared: it is measured of the
-- active version too, so that max_drop and max_rise apply.
CREATE OR REPLACE FUNCTION pgvec.known_metrics()
RETURNS TABLE (metric text, at_k boolean, compared boolean) LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $$
    VALUES ('recall', true, true), ('hit_rate', true, true), ('mrr', true, true), ('ndcg', true, true),
           ('overlap', true, false), ('rank_correlation', false, false), ('reproduced', false, true),
           ('search_ms_p50', false, true), ('search_ms_p95', false, true),
           ('embed_ms_p50', false, true), ('embed_ms_p95', false, true),
           ('index_bytes', false, true), ('table_bytes', false, true);
$$;
