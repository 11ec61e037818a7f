-- The most dimensions that an HNSW index takes, by how the vectors are stored.
-- Source: HNSW_MAX_DIM in pgvector's hnsw.h.
CREATE OR REPLACE FUNCTION pgvec.largest_dimension(storage text)
RETURNS integer LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE storage WHEN 'vector' THEN 2000 ELSE 4000 END;
$$;
