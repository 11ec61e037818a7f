-- Why cut_over would refuse, in its order: a pause, the gate (unless force), the transaction's isolation level, then
-- what refuse_switch finds.
-- Raises: PV001 (no such collection), PV002 (no such version).
CREATE OR REPLACE FUNCTION pgvec.refuse_cut_over(collection text, model_version text, force boolean DEFAULT false)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM pgvec.refuse_while_paused($1, $2, 'cut_over')
    UNION ALL
    SELECT r.* FROM pgvec.get_version($1, $2) v
     CROSS JOIN LATERAL pgvec.check_gate(v.collection, v.model_version) g (verdict)
     CROSS JOIN LATERAL pgvec.refuse_gate(g.verdict) r
     WHERE v.state = 'ready' AND NOT coalesce($3, false)
    UNION ALL
    SELECT * FROM pgvec.refuse_isolation($1, $2, 'cut_over')
    UNION ALL
    SELECT * FROM pgvec.refuse_switch($1, $2, 'cut_over');
$$;
