-- Whether a role may do all that the job has to: it owns, or is a member of who owns, the catalog's tables, every chunk
-- table and every leaf. False for a role that does not exist.
CREATE OR REPLACE FUNCTION pgvec.may_retire(role_name text)
RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((
        SELECT bool_and(pg_has_role(r.oid, t.relowner, 'USAGE')) FROM pg_catalog.pg_roles r, pg_catalog.pg_class t
         WHERE r.rolname = $1
           AND (t.oid IN ('pgvec.model_version'::regclass, 'pgvec.retirement_run'::regclass, 'pgvec.retirement_lock'::regclass)
                OR t.oid IN (SELECT c.chunk_table FROM pgvec.collection c)
                OR t.oid IN (SELECT to_regclass(format('pgvec_leaves.%I', v.leaf)) FROM pgvec.model_version v WHERE v.dropped_at IS NULL))), false);
$$;
