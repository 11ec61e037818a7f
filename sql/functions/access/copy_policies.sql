-- Gives a leaf the chunk table's row-level security: its switches and a copy of each policy, whatever
-- it had before. Promise: a policy that names the chunk table still means the row at hand (the leaf
-- bears the chunk table's name while the policies are made, and its own again after).
CREATE OR REPLACE FUNCTION pgvec.copy_policies(chunk_table regclass, leaf text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p record;
    borrowed text := (SELECT c.relname FROM pg_class c WHERE c.oid = chunk_table);
    switches record;
BEGIN
    SELECT c.relrowsecurity, c.relforcerowsecurity INTO switches FROM pg_class c WHERE c.oid = chunk_table;
    FOR p IN SELECT o.polname FROM pg_policy o WHERE o.polrelid = to_regclass(format('pgvec_leaves.%I', leaf)) LOOP
        EXECUTE format('DROP POLICY %I ON pgvec_leaves.%I', p.polname, leaf);
    END LOOP;
    IF EXISTS (SELECT FROM pg_policy o WHERE o.polrelid = chunk_table) THEN
        EXECUTE format('ALTER TABLE pgvec_leaves.%I RENAME TO %I', leaf, borrowed);
        FOR p IN
            SELECT o.polname, o.polpermissive, o.polcmd, pg_get_expr(o.polqual, o.polrelid) AS using_expr, pg_get_expr(o.polwithcheck, o.polrelid) AS check_expr,
                   (SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r)) END, ', ') FROM unnest(o.polroles) r) AS roles
              FROM pg_policy o WHERE o.polrelid = chunk_table
        LOOP
            EXECUTE format('CREATE POLICY %I ON pgvec_leaves.%I AS %s FOR %s TO %s', p.polname, borrowed,
                           CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
                           CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END, p.roles)
                    || coalesce(' USING (' || p.using_expr || ')', '') || coalesce(' WITH CHECK (' || p.check_expr || ')', '');
        END LOOP;
        EXECUTE format('ALTER TABLE pgvec_leaves.%I RENAME TO %I', borrowed, leaf);
    END IF;
    EXECUTE format('ALTER TABLE pgvec_leaves.%I %s ROW LEVEL SECURITY', leaf, CASE WHEN switches.relrowsecurity THEN 'ENABLE' ELSE 'DISABLE' END);
    EXECUTE format('ALTER TABLE pgvec_leaves.%I %s ROW LEVEL SECURITY', leaf, CASE WHEN switches.relforcerowsecurity THEN 'FORCE' ELSE 'NO FORCE' END);
    UPDATE pgvec.model_version v SET policy_mark = pgvec.policy_mark(chunk_table, format('pgvec_leaves.%I', v.leaf)::regclass)
     WHERE v.leaf = copy_policies.leaf;
END
$$;
