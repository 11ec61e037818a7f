-- The statement that creates the HNSW index of a version.
-- Arguments:
--   online     while writers go on; such a statement cannot run inside a transaction
--   relation   a table that is to become the leaf: with its schema, quoted; by default the leaf
--   embedding  that table's column of vectors, quoted
-- Why a leaf that was a table has no WHERE: a search that names no version would not use a partial index.
CREATE OR REPLACE FUNCTION pgvec.index_sql(c pgvec.collection, v pgvec.model_version, online boolean,
                                           relation text DEFAULT NULL, embedding text DEFAULT 'embedding')
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('CREATE INDEX %s%I ON %s USING hnsw ((%s::%I.%I(%s)) %I.%I) WITH (m = %s, ef_construction = %s)%s',
                  CASE WHEN online THEN 'CONCURRENTLY ' ELSE '' END, v.leaf || '_hnsw',
                  coalesce(relation, format('pgvec_leaves.%I', v.leaf)),
                  CASE WHEN v.index_kind = 'cast' THEN embedding
                       ELSE format('(ROW(%s)::pgvec.%I)', embedding,
                                   CASE c.storage WHEN 'vector' THEN 'boxed' ELSE 'boxed_half' END) END,
                  s.vectors, c.storage, v.dimensions, s.vectors,
                  c.storage || CASE c.distance WHEN 'cosine' THEN '_cosine_ops'
                                               WHEN 'l2' THEN '_l2_ops'
                                               ELSE '_ip_ops' END,
                  v.m, v.ef_construction,
                  CASE WHEN v.index_kind = 'cast' THEN format(' WHERE model_version = %L', v.model_version) ELSE '' END)
      FROM pgvec.vector_schema() s (vectors);
$$;
