-- A mark that changes when a policy of a chunk table or of a leaf changes, for a check that costs little: the rows of
-- pg_policy, each with the transaction that wrote it and its place in the table. Every change of a policy moves its
-- row. A restore or a rewrite of pg_policy moves rows too; the caller then compares the policies themselves.
CREATE OR REPLACE FUNCTION pgvec.policy_mark(chunk_table regclass, leaf regclass)
RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT coalesce(string_agg(concat_ws(' ', p.oid, p.xmin, p.ctid), ',' ORDER BY p.oid), '')
              FROM pg_policy p WHERE p.polrelid IN (chunk_table, leaf));
END
$$;
