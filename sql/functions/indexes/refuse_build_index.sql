-- Why build_index would refuse, in its order: the state, the leaf is gone, a pause, another session that builds.
-- Raises: PV001 (no such collection), PV002 (no such version).
CREATE OR REPLACE FUNCTION pgvec.refuse_build_index(collection text, model_version text)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM pgvec.refuse_state($1, $2, 'build_index')
    UNION ALL
    SELECT * FROM pgvec.refuse_lost_leaf($1, $2)
    UNION ALL
    SELECT * FROM pgvec.refuse_while_paused($1, $2, 'build_index')
    UNION ALL
    SELECT * FROM pgvec.refuse_second_build($1, $2);
$$;
