-- The statement that creates the HNSW index of a version.
-- Arguments:
--   online  while writers go on; such a statement cannot run inside a transaction
CREATE OR REPLACE FUNCTION pgvec.index_sql(c pgvec.collection, v pgvec.model_version, online boolean)
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('CREATE INDEX %s%I ON pgvec_leaves.%I USING hnsw ((embedding::%I.%I(%s)) %I.%I) '
                  'WITH (m = %s, ef_construction = %s) WHERE model_version = %L',
                  CASE WHEN online THEN 'CONCURRENTLY ' ELSE '' END, v.leaf || '_hnsw', v.leaf, s.vectors,
                  c.storage, v.dimensions, s.vectors,
                  c.storage || CASE c.distance WHEN 'cosine' THEN '_cosine_ops'
                                               WHEN 'l2' THEN '_l2_ops'
                                               ELSE '_ip_ops' END,
                  v.m, v.ef_construction, v.model_version)
      FROM pgvec.vector_schema() s (vectors);
$$;
