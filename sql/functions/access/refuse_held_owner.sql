-- Whether row-level security of the chunk table would hide rows from the role that carries writes: a row of 42501, or
-- none. That role, the owner of follow_writes, carries writes from the second version on, and must see every row.
-- Raises: PV001.
CREATE OR REPLACE FUNCTION pgvec.refuse_held_owner(collection text)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT '42501',
           format('row-level security of %s applies to the role that carries its writes: '
                  'they would not reach every version.',
                  c.collection),
           jsonb_build_object('collection', c.collection, 'owner', o.rolname),
           format('Ask a superuser to run: ALTER ROLE %I BYPASSRLS;', o.rolname)
      FROM pgvec.get_collection($1) c
      JOIN pg_catalog.pg_class t ON t.oid = c.chunk_table
      JOIN pg_catalog.pg_proc f ON f.oid = 'pgvec.follow_writes'::regproc
      JOIN pg_catalog.pg_roles o ON o.oid = f.proowner
     WHERE t.relrowsecurity AND NOT o.rolsuper AND NOT o.rolbypassrls
       AND (t.relforcerowsecurity OR NOT pg_has_role(o.oid, t.relowner, 'USAGE'))
       AND EXISTS (SELECT FROM pgvec.model_version v WHERE v.collection = c.collection AND v.dropped_at IS NULL);
$$;
