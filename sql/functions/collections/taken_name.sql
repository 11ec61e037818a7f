-- Returns the name that keeps a collection from being created in a schema, or NULL: its own, its view's or its
-- sequence's (bigint ids). A relation or a type may have taken it, or a pinned view or leaf of another collection that
-- is yet to be made.
CREATE OR REPLACE FUNCTION pgvec.taken_name(collection text, host_schema text, id_type text)
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT n.name
      FROM (VALUES ($1), ('active_' || $1), (CASE WHEN $3 = 'bigint' THEN $1 || '_chunk_id_seq' END)) n (name)
     WHERE to_regclass(quote_ident($2) || '.' || quote_ident(n.name)) IS NOT NULL
        -- PostgreSQL moves the array type of another table out of the way, and no other type.
        OR EXISTS (SELECT FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace s ON s.oid = t.typnamespace
                    WHERE s.nspname = $2 AND t.typname = n.name AND t.typrelid = 0 AND t.typelem = 0)
        -- The names of a pinned view and of a leaf are taken before these exist; policies use the leaf's name.
        OR EXISTS (SELECT FROM pgvec.model_version v JOIN pgvec.collection c ON c.collection = v.collection
                    WHERE v.dropped_at IS NULL
                      AND ((c.host_schema = $2 AND v.pinned_view = n.name) OR v.leaf = $1))
     LIMIT 1;
$$;
