-- A table's row-level security as data, to compare: its switches and each policy, whole. A name of the table itself in an
-- expression is written as ``.``, so that a chunk table and its leaf, with the same policies, give the same.
CREATE OR REPLACE FUNCTION pgvec.policies_of(secured regclass)
RETURNS jsonb LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_array(t.relrowsecurity, t.relforcerowsecurity,
        (SELECT jsonb_agg(jsonb_build_array(p.polname, p.polcmd, p.polpermissive,
                    (SELECT jsonb_agg(r::bigint ORDER BY r) FROM unnest(p.polroles) r),
                    replace(pg_get_expr(p.polqual, p.polrelid), quote_ident(t.relname) || '.', '.'),
                    replace(pg_get_expr(p.polwithcheck, p.polrelid), quote_ident(t.relname) || '.', '.')) ORDER BY p.polname)
           FROM pg_policy p WHERE p.polrelid = t.oid))
      FROM pg_class t WHERE t.oid = secured;
$$;
