-- Gives a leaf, and its intake if it has one, the row-level security of the chunk table: its switches and a copy of
-- each policy. Drops the policies
-- that the leaf had before.
-- Arguments:
--   leaf   the leaf's name in schema pgvec_leaves
-- Why the leaf is renamed: in a policy, the chunk table's name means the row that the policy judges. The leaf has that
-- name while its copies are made, so that the name means the leaf's own row.
CREATE OR REPLACE FUNCTION pgvec.copy_policies(chunk_table regclass, leaf text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    chunks record;
    policy_name text;
    statement text;
BEGIN
    SELECT c.relname AS name, c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced INTO chunks
      FROM pg_class c
     WHERE c.oid = chunk_table;
    FOR policy_name IN
        SELECT p.polname FROM pg_policy p WHERE p.polrelid = to_regclass(format('pgvec_leaves.%I', leaf))
    LOOP
        EXECUTE format('DROP POLICY %I ON pgvec_leaves.%I', policy_name, leaf);
    END LOOP;
    IF EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = chunk_table) THEN
        EXECUTE format('ALTER TABLE pgvec_leaves.%I RENAME TO %I', leaf, chunks.name);
        FOR statement IN
            SELECT pgvec.policy_copy_sql(chunk_table, p.polname, format('pgvec_leaves.%I', chunks.name))
              FROM pg_policy p
             WHERE p.polrelid = chunk_table
        LOOP
            EXECUTE statement;
        END LOOP;
        EXECUTE format('ALTER TABLE pgvec_leaves.%I RENAME TO %I', chunks.name, leaf);
    END IF;
    EXECUTE format('ALTER TABLE pgvec_leaves.%I %s ROW LEVEL SECURITY', leaf,
                   CASE WHEN chunks.enabled THEN 'ENABLE' ELSE 'DISABLE' END);
    EXECUTE format('ALTER TABLE pgvec_leaves.%I %s ROW LEVEL SECURITY', leaf,
                   CASE WHEN chunks.forced THEN 'FORCE' ELSE 'NO FORCE' END);
    -- What is written through the name of an adopted table meets the intake's policies, not the leaf's.
    PERFORM pgvec.copy_policies(chunk_table, r.relname)
       FROM pgvec.adoption a JOIN pg_catalog.pg_class r ON r.oid = a.intake
      WHERE a.leaf = copy_policies.leaf;
    UPDATE pgvec.model_version v
       SET policy_mark = pgvec.policy_mark(chunk_table, format('pgvec_leaves.%I', v.leaf)::regclass)
     WHERE v.leaf = copy_policies.leaf;
END
$$;
