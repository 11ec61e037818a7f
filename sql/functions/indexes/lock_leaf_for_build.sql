-- For build_index: locks a leaf as CREATE INDEX does, which keeps a second build out too, and drops an index that a
-- broken build left behind.
-- Raises: 55P03 (no lock within lock_timeout; DETAIL holds the processes that have one in the way).
-- Why a lock on the leaf: it needs privileges, and any role could hold an advisory lock.
CREATE OR REPLACE FUNCTION pgvec.lock_leaf_for_build(v pgvec.model_version, lock_timeout interval)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old_timeout CONSTANT text := current_setting('lock_timeout');
    leaf CONSTANT regclass := format('pgvec_leaves.%I', v.leaf)::regclass;
    index_name CONSTANT text := format('pgvec_leaves.%I', v.leaf || '_hnsw');
    holders integer[];
BEGIN
    BEGIN
        PERFORM pgvec.limit_lock_wait(clock_timestamp() + lock_leaf_for_build.lock_timeout);
        EXECUTE format('LOCK TABLE ONLY %s IN SHARE ROW EXCLUSIVE MODE', leaf);
        IF pgvec.index_state(v.leaf) = 'invalid' THEN
            EXECUTE format('DROP INDEX %s', index_name);
        END IF;
    EXCEPTION WHEN lock_not_available THEN
        holders := pgvec.lock_holders(ARRAY[leaf, to_regclass(index_name)]);
        PERFORM pgvec.raise_error('55P03',
            format('build_index: no lock on %s in time: process %s has it.', leaf,
                   coalesce(nullif(array_to_string(holders, ', '), ''), 'that just ended')),
            jsonb_build_object('collection', v.collection, 'model_version', v.model_version, 'processes', holders),
            'Nothing was changed. Wait for that transaction (pg_stat_activity), or end it, and call again.');
    END;
    PERFORM set_config('lock_timeout', old_timeout, true);
END
$$;
