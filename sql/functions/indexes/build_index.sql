-- Builds the version's HNSW index, after the load. All or nothing. Writers never wait for it: while it
-- runs, changes for this version become work items. maintenance_work_mem and parallel_workers hold
-- for this build only; below pgvector 0.8.2 it runs without parallel workers (CVE-2026-3172).
-- It begins when those have ended who are writing to the version's leaf, and waits lock_timeout for them at most.
-- Its lock, on the leaf itself, is that of CREATE INDEX and keeps a second build out too; it needs privileges.
-- Returns true when it built, false when a valid index stood there already.
-- Raises PV001, PV002, PV005 (not live), PV007 (argument), PV009 (another session builds it), PV060 (paused),
-- 55P03 (somebody writes for longer than lock_timeout; DETAIL of both holds the processes).
CREATE OR REPLACE FUNCTION pgvec.build_index(collection text, model_version text,
                                             maintenance_work_mem text DEFAULT NULL,
                                             parallel_workers integer DEFAULT NULL,
                                             lock_timeout interval DEFAULT '10 seconds')
RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    vectors text := pgvec.vector_schema();
    leaf regclass;
    holders integer[];
    old_timeout text := current_setting('lock_timeout');
    old_memory text := current_setting('maintenance_work_mem');
    old_workers text := current_setting('max_parallel_maintenance_workers');
    began timestamptz := clock_timestamp();
    parallel_is_safe boolean := (SELECT string_to_array(regexp_replace(e.extversion, '[^0-9.].*', ''), '.')::int[] >= ARRAY[0, 8, 2]
                                   FROM pg_catalog.pg_extension e WHERE e.extname = 'vector');
BEGIN
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
       FROM pgvec.refuse_build_index(collection, model_version) r;
    IF maintenance_work_mem !~ '^[0-9]{1,10} ?(kB|MB|GB)?$' OR parallel_workers NOT BETWEEN 0 AND 1024 THEN
        PERFORM pgvec.raise_error('PV007', 'maintenance_work_mem is a size such as 2GB, parallel_workers 0 to 1024.',
            jsonb_build_object('maintenance_work_mem', maintenance_work_mem, 'parallel_workers', parallel_workers));
    END IF;
    PERFORM pgvec.check_patience(lock_timeout, 1);
    IF pgvec.index_state(v.leaf) = 'valid' THEN
        RETURN false;
    END IF;
    leaf := format('pgvec_leaves.%I', v.leaf)::regclass;
    BEGIN
        PERFORM pgvec.limit_lock_wait(clock_timestamp() + build_index.lock_timeout);
        EXECUTE format('LOCK TABLE ONLY %s IN SHARE ROW EXCLUSIVE MODE', leaf);
        IF pgvec.index_state(v.leaf) = 'invalid' THEN
            EXECUTE format('DROP INDEX pgvec_leaves.%I', v.leaf || '_hnsw');
        END IF;
    EXCEPTION WHEN lock_not_available THEN
        holders := pgvec.lock_holders(ARRAY[leaf, to_regclass(format('pgvec_leaves.%I', v.leaf || '_hnsw'))]);
        PERFORM pgvec.raise_error('55P03',
            format('build_index: no lock on %s in time: process %s has it.', leaf,
                   coalesce(nullif(array_to_string(holders, ', '), ''), 'that just ended')),
            jsonb_build_object('collection', collection, 'model_version', model_version, 'processes', holders),
            'Nothing was changed. Wait for that transaction (pg_stat_activity), or end it, and call again.');
    END;
    PERFORM set_config('lock_timeout', old_timeout, true);
    -- Another session may have built it while we waited.
    IF pgvec.index_state(v.leaf) = 'valid' THEN
        RETURN false;
    END IF;
    IF maintenance_work_mem IS NOT NULL THEN
        PERFORM set_config('maintenance_work_mem', maintenance_work_mem, true);
    END IF;
    IF NOT parallel_is_safe THEN
        PERFORM set_config('max_parallel_maintenance_workers', '0', true);
    ELSIF parallel_workers IS NOT NULL THEN
        PERFORM set_config('max_parallel_maintenance_workers', parallel_workers::text, true);
    END IF;
    EXECUTE format('CREATE INDEX %I ON pgvec_leaves.%I USING hnsw ((embedding::%I.%I(%s)) %I.%I) WITH (m = %s, ef_construction = %s) WHERE model_version = %L',
                   v.leaf || '_hnsw', v.leaf, vectors, c.storage, v.dimensions, vectors, c.storage || CASE c.distance WHEN 'cosine' THEN '_cosine_ops' WHEN 'l2' THEN '_l2_ops' ELSE '_ip_ops' END,
                   v.m, v.ef_construction, v.model_version);
    EXECUTE format('ANALYZE pgvec_leaves.%I', v.leaf);
    PERFORM set_config('maintenance_work_mem', old_memory, true), set_config('max_parallel_maintenance_workers', old_workers, true);
    PERFORM pgvec.log_event(collection, model_version, 'build_index', v.state, v.state,
        jsonb_build_object('seconds', round(extract(epoch FROM clock_timestamp() - began), 3), 'bytes', pg_relation_size(format('pgvec_leaves.%I', v.leaf || '_hnsw')::regclass)));
    RETURN true;
END
$$;
