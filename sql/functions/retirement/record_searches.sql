-- For PostgreSQL 15: records how often each draining version's HNSW index was searched, and when that number was first
-- seen higher. retire_due calls it in every run, so that a version has a history by the time it is due.
CREATE OR REPLACE FUNCTION pgvec.record_searches()
RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    WITH draining AS (
        SELECT v.collection, v.model_version, to_regclass(format('pgvec_leaves.%I', v.leaf || '_hnsw')) AS hnsw
          FROM pgvec.model_version v
         WHERE v.state = 'draining'
    )
    INSERT INTO pgvec.leaf_reads AS k (collection, model_version, searches, looked_at)
    SELECT d.collection, d.model_version, pg_stat_get_numscans(d.hnsw), clock_timestamp()
      FROM draining d
     WHERE d.hnsw IS NOT NULL
    ON CONFLICT ON CONSTRAINT leaf_reads_pkey DO UPDATE
       SET rose_at = CASE WHEN excluded.searches > k.searches THEN excluded.looked_at ELSE k.rose_at END,
           searches = excluded.searches, looked_at = excluded.looked_at;
$$;
