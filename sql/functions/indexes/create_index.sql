-- For build_index: creates the HNSW index of a version. The settings are those of the session again afterwards.
CREATE OR REPLACE FUNCTION pgvec.create_index(c pgvec.collection, v pgvec.model_version,
                                              maintenance_work_mem text, parallel_workers integer)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old_memory CONSTANT text := current_setting('maintenance_work_mem');
    old_workers CONSTANT text := current_setting('max_parallel_maintenance_workers');
BEGIN
    IF maintenance_work_mem IS NOT NULL THEN
        PERFORM set_config('maintenance_work_mem', maintenance_work_mem, true);
    END IF;
    IF NOT pgvec.parallel_is_safe() THEN
        PERFORM set_config('max_parallel_maintenance_workers', '0', true);
    ELSIF parallel_workers IS NOT NULL THEN
        PERFORM set_config('max_parallel_maintenance_workers', parallel_workers::text, true);
    END IF;
    EXECUTE pgvec.index_sql(c, v, false);
    PERFORM set_config('maintenance_work_mem', old_memory, true),
            set_config('max_parallel_maintenance_workers', old_workers, true);
END
$$;
