-- The processes that are building the index of a leaf in other sessions, or wait to. VACUUM and ANALYZE take the same
-- lock as a concurrent build; only a build is in pg_stat_progress_create_index.
-- Shape: process ids; empty when there are none.
CREATE OR REPLACE FUNCTION pgvec.index_builders(leaf text)
RETURNS integer[] LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT pgvec.lock_holders(ARRAY[l.leaf], '{ShareLock,ShareRowExclusiveLock}')
        || ARRAY(SELECT h.pid FROM unnest(pgvec.lock_holders(ARRAY[l.leaf], '{ShareUpdateExclusiveLock}')) h (pid)
                  WHERE h.pid IN (SELECT p.pid FROM pg_catalog.pg_stat_progress_create_index p))
      FROM to_regclass(format('pgvec_leaves.%I', $1)) l (leaf);
$$;
