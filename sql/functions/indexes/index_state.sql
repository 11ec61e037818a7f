-- The state of a leaf's HNSW index: 'valid', 'invalid' (a build that broke off) or 'missing'.
CREATE OR REPLACE FUNCTION pgvec.index_state(leaf text)
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((SELECT CASE WHEN i.indisvalid AND i.indisready THEN 'valid' ELSE 'invalid' END
                       FROM pg_catalog.pg_index i
                      WHERE i.indexrelid = to_regclass('pgvec_leaves.' || quote_ident(leaf || '_hnsw'))),
                    'missing');
$$;
