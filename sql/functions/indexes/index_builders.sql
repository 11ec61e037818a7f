-- The processes that are building the index of a leaf in other sessions, or wait to.
-- Shape: process ids; empty when there are none.
CREATE OR REPLACE FUNCTION pgvec.index_builders(leaf text)
RETURNS integer[] LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT pgvec.lock_holders(ARRAY[to_regclass(format('pgvec_leaves.%I', leaf))],
                              '{ShareLock,ShareRowExclusiveLock}');
$$;
