-- The CREATE POLICY statement that copies a policy of one table to another.
-- Arguments:
--   target   the name that the other table has while the statement runs: with its schema, quoted
CREATE OR REPLACE FUNCTION pgvec.policy_copy_sql(secured regclass, policy_name text, target text)
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH part AS (
        SELECT p.polname AS name,
               CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END AS kind,
               CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                             WHEN 'd' THEN 'DELETE' ELSE 'ALL' END AS command,
               (SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r)) END, ', ')
                  FROM unnest(p.polroles) r) AS roles,
               pg_get_expr(p.polqual, p.polrelid) AS using_expression,
               pg_get_expr(p.polwithcheck, p.polrelid) AS check_expression
          FROM pg_policy p
         WHERE p.polrelid = secured AND p.polname = policy_name
    )
    SELECT format('CREATE POLICY %I ON %s AS %s FOR %s TO %s', p.name, target, p.kind, p.command, p.roles)
           || coalesce(' USING (' || p.using_expression || ')', '')
           || coalesce(' WITH CHECK (' || p.check_expression || ')', '')
      FROM part p;
$$;
