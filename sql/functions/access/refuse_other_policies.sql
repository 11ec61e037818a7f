-- Whether the leaf of a version has other row-level security than the chunk table: a row of PV051, or none. While it
-- has, nobody reads through the leaf, and the version does not become active. You change the policies of the chunk
-- table only; pgvec.refresh_collection copies them.
-- Raises: PV001, PV002.
CREATE OR REPLACE FUNCTION pgvec.refuse_other_policies(collection text, model_version text)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'PV051',
           format('the row-level security of %s changed, and version %s does not have it yet: nothing is read.',
                  $1, $2),
           jsonb_build_object('collection', $1, 'model_version', $2),
           format('The owner of the collection runs: SELECT pgvec.refresh_collection(%L);', $1)
      FROM pgvec.get_version($1, $2) v
      JOIN pgvec.collection c ON c.collection = v.collection
     WHERE v.dropped_at IS NULL AND to_regclass(format('pgvec_leaves.%I', v.leaf)) IS NOT NULL
       AND pgvec.policies_of(c.chunk_table)
           IS DISTINCT FROM pgvec.policies_of(format('pgvec_leaves.%I', v.leaf)::regclass);
$$;
