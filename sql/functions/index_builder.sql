-- The process that builds the index of a leaf at this moment, in another session; NULL when none does.
CREATE OR REPLACE FUNCTION pgvec.index_builder(leaf text)
RETURNS integer LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT l.pid FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_database d ON d.oid = l.database
     WHERE l.locktype = 'advisory' AND l.granted AND l.pid <> pg_backend_pid() AND d.datname = current_database()
       AND l.classid::bigint = pgvec.build_lock_class() + 1 AND l.objsubid = 2
       AND l.objid = to_regclass(format('pgvec_leaves.%I', leaf)) LIMIT 1;
$$;
