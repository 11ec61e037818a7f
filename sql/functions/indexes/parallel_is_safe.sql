-- Whether an HNSW build may use parallel workers: not below pgvector 0.8.2.
-- Why: CVE-2026-3172.
CREATE OR REPLACE FUNCTION pgvec.parallel_is_safe()
RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT string_to_array(regexp_replace(e.extversion, '[^0-9.].*', ''), '.')::int[] >= ARRAY[0, 8, 2]
      FROM pg_catalog.pg_extension e WHERE e.extname = 'vector';
$$;
