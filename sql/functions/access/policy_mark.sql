-- The state of the policies of a chunk table and a leaf, to see at little cost that nothing was done to them: the rows of
-- pg_policy, each with the transaction that wrote it and its place. Whatever changes a policy moves its row; so does a
-- restore or a rewrite of pg_policy, and then the policies are compared whole.
CREATE OR REPLACE FUNCTION pgvec.policy_mark(chunk_table regclass, leaf regclass)
RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT coalesce(string_agg(concat_ws(' ', p.oid, p.xmin, p.ctid), ',' ORDER BY p.oid), '')
              FROM pg_policy p WHERE p.polrelid IN (chunk_table, leaf));
END
$$;
