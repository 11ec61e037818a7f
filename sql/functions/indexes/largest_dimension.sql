-- The most dimensions that an HNSW index takes of vectors that are stored so.
-- Source: HNSW_MAX_DIM of pgvector's hnsw.h.
CREATE OR REPLACE FUNCTION pgvec.largest_dimension(storage text)
RETURNS integer LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE storage WHEN 'vector' THEN 2000 ELSE 4000 END;
$$;
