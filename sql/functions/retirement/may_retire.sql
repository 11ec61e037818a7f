-- Whether a role can do everything that pgvec.retire_due does: it owns the catalog's tables, every chunk table and
-- every leaf, or is a member of their owners. False for a role that does not exist.
CREATE OR REPLACE FUNCTION pgvec.may_retire(role_name text)
RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH needed (relation) AS (
        VALUES ('pgvec.model_version'::regclass), ('pgvec.retirement_run'::regclass),
               ('pgvec.retirement_lock'::regclass)
        UNION ALL
        SELECT c.chunk_table FROM pgvec.collection c
        UNION ALL
        SELECT to_regclass(format('pgvec_leaves.%I', v.leaf)) FROM pgvec.model_version v WHERE v.dropped_at IS NULL
    )
    SELECT coalesce(bool_and(pg_has_role(r.oid, t.relowner, 'USAGE')), false)
      FROM pg_catalog.pg_roles r
      JOIN pg_catalog.pg_class t ON t.oid IN (SELECT n.relation FROM needed n)
     WHERE r.rolname = $1;
$$;
