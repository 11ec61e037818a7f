-- A table's row-level security as data: its switches and all of each policy. A chunk table and its leaf give the same
-- data if their policies are the same: where an expression names the table itself, only ``.`` remains of the name.
CREATE OR REPLACE FUNCTION pgvec.policies_of(secured regclass)
RETURNS jsonb LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_array(t.relrowsecurity, t.relforcerowsecurity,
        (SELECT jsonb_agg(
                    jsonb_build_array(
                        p.polname, p.polcmd, p.polpermissive,
                        (SELECT jsonb_agg(r::bigint ORDER BY r) FROM unnest(p.polroles) r),
                        replace(pg_get_expr(p.polqual, p.polrelid), quote_ident(t.relname) || '.', '.'),
                        replace(pg_get_expr(p.polwithcheck, p.polrelid), quote_ident(t.relname) || '.', '.'))
                    ORDER BY p.polname)
           FROM pg_policy p
          WHERE p.polrelid = t.oid))
      FROM pg_class t
     WHERE t.oid = secured;
$$;
