-- Why register_version would refuse, in its order: the chunk table is gone, the label, its options, a used label,
-- row-level security.
-- Arguments:
--   options  the options to check: dimensions, embedder, and m and ef_construction together
-- Raises: PV001 (no such collection).
CREATE OR REPLACE FUNCTION pgvec.refuse_register_version(collection text, model_version text,
                                                         options jsonb DEFAULT '{}')
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM pgvec.refuse_lost_table($1)
    UNION ALL
    SELECT * FROM pgvec.refuse_name($1, $2, true)
    UNION ALL
    SELECT r.* FROM pgvec.get_collection($1) c CROSS JOIN LATERAL pgvec.refuse_version_options(c.storage, $3) r
    UNION ALL
    SELECT * FROM pgvec.refuse_used_label($1, $2)
    UNION ALL
    SELECT * FROM pgvec.refuse_held_owner($1);
$$;
