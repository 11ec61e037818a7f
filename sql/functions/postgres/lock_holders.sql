-- The processes that hold a lock on one of the relations, or wait for one, to name them when a wait was too long.
-- Shape: process ids, in order; empty if there are none.
-- Arguments:
--   modes   only locks of these modes, by their names in pg_locks; NULL: any mode
CREATE OR REPLACE FUNCTION pgvec.lock_holders(relations regclass[], modes text[] DEFAULT NULL)
RETURNS integer[] LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(DISTINCT l.pid), '{}')
      FROM pg_catalog.pg_locks l
     WHERE l.locktype = 'relation' AND l.relation = ANY ($1::oid[]) AND (l.mode = ANY ($2) OR $2 IS NULL)
       AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())
       AND l.pid <> pg_backend_pid();
$$;
