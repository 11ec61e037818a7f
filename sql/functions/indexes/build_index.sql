-- Builds the HNSW index of a version in this transaction, after the load, or leaves everything as it was. Who writes to
-- other versions does not wait: such changes become work items for this version. Who writes rows of this version itself
-- waits until the build has ended; pgvec.index_statements gives the statements that build while those writers go on.
-- The build starts when the sessions that write to the leaf have ended their transactions; it waits for them,
-- lock_timeout at most.
-- Arguments:
--   maintenance_work_mem, parallel_workers  settings for this build alone
-- Returns true when it built the index, false when a valid one exists already.
-- Raises: PV001 (no such collection), PV002 (no such version), PV005 (not live), PV007 (an argument), PV009 (another
-- session builds it), PV060 (paused), 55P03 (a session writes for longer than lock_timeout; DETAIL of both holds the
-- processes).
CREATE OR REPLACE FUNCTION pgvec.build_index(collection text, model_version text,
                                             maintenance_work_mem text DEFAULT NULL,
                                             parallel_workers integer DEFAULT NULL,
                                             lock_timeout interval DEFAULT '10 seconds')
RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    began timestamptz := clock_timestamp();
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
    PERFORM pgvec.lock_leaf_for_build(v, lock_timeout);
    -- Another session may have built it while we waited.
    IF pgvec.index_state(v.leaf) = 'valid' THEN
        RETURN false;
    END IF;
    PERFORM pgvec.create_index(c, v, maintenance_work_mem, parallel_workers);
    PERFORM pgvec.record_index(collection, model_version, began);
    RETURN true;
END
$$;
