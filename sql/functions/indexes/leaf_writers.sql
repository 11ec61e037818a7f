-- The transactions that have written to a leaf and have not ended.
-- Shape: for each its process id, and the id that tells it from the next transaction of that process.
CREATE OR REPLACE FUNCTION pgvec.leaf_writers(leaf text)
RETURNS TABLE (pid integer, transaction text) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT DISTINCT l.pid, l.virtualtransaction
      FROM pg_catalog.pg_locks l
     WHERE l.locktype = 'relation' AND l.relation = to_regclass(format('pgvec_leaves.%I', $1))
       AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())
       AND l.mode = 'RowExclusiveLock' AND l.granted AND l.pid <> pg_backend_pid();
$$;
