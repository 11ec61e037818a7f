-- The objects that the parts of pgvec.privilege_words stand for in one collection, as it is now.
-- Shape: one row for each object. shared: all collections use it. kind and name: as GRANT and REVOKE want them. acl:
-- what was granted on it.
-- Raises: PV001.
CREATE OR REPLACE FUNCTION pgvec.privilege_objects(collection text)
RETURNS TABLE (part text, shared boolean, kind text, name text, object oid, owner oid, acl aclitem[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH c AS (SELECT (pgvec.get_collection($1)).*
    ), relation (part, shared, schema, name) AS (
        SELECT p.* FROM c CROSS JOIN LATERAL (VALUES
            ('chunks', false, c.host_schema, c.collection),
            ('ids', false, c.host_schema, CASE c.id_type WHEN 'bigint' THEN c.collection || '_chunk_id_seq' END),
            ('view', false, c.host_schema, 'active_' || c.collection),
            ('catalog', true, 'pgvec', 'collection'), ('catalog', true, 'pgvec', 'model_version'),
            ('catalog', true, 'pgvec', 'fingerprint'), ('catalog', true, 'pgvec', 'canary'),
            ('catalog', true, 'pgvec', 'collection_grant'), ('catalog', true, 'pgvec', 'catalog_version')) p
        UNION ALL
        -- Until a version is ready, another relation may have the name of its pinned view.
        SELECT p.* FROM c JOIN pgvec.model_version v ON v.collection = c.collection AND v.dropped_at IS NULL
         CROSS JOIN LATERAL (SELECT v.state IN ('ready', 'active', 'draining') AS shown) s
         CROSS JOIN LATERAL (VALUES
            (CASE WHEN s.shown THEN 'leaf' ELSE 'hidden leaf' END, false, 'pgvec_leaves', v.leaf),
            ('view', false, c.host_schema, CASE WHEN s.shown THEN v.pinned_view END)) p
    )
    SELECT l.part, l.shared, CASE r.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
           format('%I.%I', n.nspname, r.relname), r.oid, r.relowner, r.relacl
      FROM relation l
      JOIN pg_catalog.pg_namespace n ON n.nspname = l.schema
      JOIN pg_catalog.pg_class r ON r.relnamespace = n.oid AND r.relname = l.name
    UNION ALL
    SELECT 'schema', true, 'SCHEMA', quote_ident(n.nspname), n.oid, n.nspowner, n.nspacl
      FROM pg_catalog.pg_namespace n
     WHERE n.nspname IN ('pgvec', 'pgvec_leaves')
    UNION ALL
    SELECT CASE f.proname WHEN 'queue_' || c.collection THEN 'workers'' door'
                          WHEN 'waiting_' || c.collection THEN 'writers'' door'
                          ELSE 'function ' || f.proname END,
           f.proname IN ('queue_' || c.collection, 'waiting_' || c.collection) IS FALSE,
           'FUNCTION', f.oid::regprocedure::text, f.oid, f.proowner, f.proacl
      FROM c, pg_catalog.pg_proc f
      JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
     WHERE n.nspname = 'pgvec' AND f.prokind <> 'p';
$$;
