-- Returns a row of 2BP01 when a host object depends on a version's pinned view, or none. abandon asks it, and
-- make_ready for a version that falls back.
-- Raises: PV001, PV002.
CREATE OR REPLACE FUNCTION pgvec.refuse_pinned_drop(collection text, model_version text, verb text)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.* FROM pgvec.get_collection($1) c CROSS JOIN LATERAL pgvec.get_version(c.collection, $2) v
     CROSS JOIN LATERAL pgvec.refuse_dependents(c.collection, $3, v.pinned_view,
                            ARRAY[v.pinned_relation]) r;
$$;
