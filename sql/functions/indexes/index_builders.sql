-- The processes that build the index of a leaf at this moment, or wait to, in other sessions. Shape: empty when none does.
CREATE OR REPLACE FUNCTION pgvec.index_builders(leaf text)
RETURNS integer[] LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT pgvec.lock_holders(ARRAY[to_regclass(format('pgvec_leaves.%I', leaf))], '{ShareLock,ShareRowExclusiveLock}');
$$;
