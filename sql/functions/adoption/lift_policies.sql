-- For swap_in: gives the new chunk table the row-level security of the table that became its leaf, under the name that
-- the policies have for it.
-- Why the chunk table is renamed: see pgvec.copy_policies.
CREATE OR REPLACE FUNCTION pgvec.lift_policies(a pgvec.adoption, chunks regclass)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    secured pg_catalog.pg_class;
    statement text;
BEGIN
    SELECT t.* INTO secured FROM pg_catalog.pg_class t WHERE t.oid = a.source;
    IF EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid = a.source) THEN
        EXECUTE format('ALTER TABLE %I.%I RENAME TO %I', a.host_schema, a.collection, a.leaf);
        FOR statement IN
            SELECT pgvec.policy_copy_sql(a.source, p.polname, format('%I.%I', a.host_schema, a.leaf))
              FROM pg_catalog.pg_policy p WHERE p.polrelid = a.source
        LOOP
            EXECUTE statement;
        END LOOP;
        EXECUTE format('ALTER TABLE %I.%I RENAME TO %I', a.host_schema, a.leaf, a.collection);
    END IF;
    IF secured.relrowsecurity THEN
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', chunks);
    END IF;
    IF secured.relforcerowsecurity THEN
        EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', chunks);
    END IF;
END
$$;
