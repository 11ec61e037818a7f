-- For build_index: creates the HNSW index of a version. The settings are those of the session again afterwards.
-- Why no parallel workers below pgvector 0.8.2: CVE-2026-3172.
CREATE OR REPLACE FUNCTION pgvec.create_index(c pgvec.collection, v pgvec.model_version,
                                              maintenance_work_mem text, parallel_workers integer)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old_memory CONSTANT text := current_setting('maintenance_work_mem');
    old_workers CONSTANT text := current_setting('max_parallel_maintenance_workers');
    parallel_is_safe CONSTANT boolean := (
        SELECT string_to_array(regexp_replace(e.extversion, '[^0-9.].*', ''), '.')::int[] >= ARRAY[0, 8, 2]
          FROM pg_catalog.pg_extension e WHERE e.extname = 'vector');
BEGIN
    IF maintenance_work_mem IS NOT NULL THEN
        PERFORM set_config('maintenance_work_mem', maintenance_work_mem, true);
    END IF;
    IF NOT parallel_is_safe THEN
        PERFORM set_config('max_parallel_maintenance_workers', '0', true);
    ELSIF parallel_workers IS NOT NULL THEN
        PERFORM set_config('max_parallel_maintenance_workers', parallel_workers::text, true);
    END IF;
    EXECUTE pgvec.index_sql(format('pgvec_leaves.%I', v.leaf), v.leaf || '_hnsw', 'embedding', c.storage, c.distance,
                            v.dimensions, v.m, v.ef_construction, v.index_kind, v.model_version);
    PERFORM set_config('maintenance_work_mem', old_memory, true),
            set_config('max_parallel_maintenance_workers', old_workers, true);
END
$$;
