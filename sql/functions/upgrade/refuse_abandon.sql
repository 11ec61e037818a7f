-- Why abandon would refuse, in its order: the chunk table is gone, the state, a host object that depends on the pinned
-- view.
-- Raises: PV001 (no such collection), PV002 (no such version).
CREATE OR REPLACE FUNCTION pgvec.refuse_abandon(collection text, model_version text)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM pgvec.refuse_lost_table($1)
    UNION ALL
    SELECT * FROM pgvec.refuse_state($1, $2, 'abandon', 'abandoned')
    UNION ALL
    SELECT * FROM pgvec.refuse_pinned_drop($1, $2, 'abandon');
$$;
