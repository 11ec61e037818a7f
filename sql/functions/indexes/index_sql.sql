-- The statement that creates the HNSW index of a version.
-- Arguments:
--   relation      the leaf, or the table that becomes it: with its schema, quoted
--   index_name    unquoted; PostgreSQL puts it into the relation's schema
--   embedding     the column of the vectors, quoted
--   online        CONCURRENTLY, for a client outside a transaction: writers of the relation go on
-- Why 'column' has no WHERE: a search that names no version would not use a partial index. The leaf has one version.
CREATE OR REPLACE FUNCTION pgvec.index_sql(relation text, index_name text, embedding text, vector_storage text,
                                           distance text, dimensions integer, m integer, ef_construction integer,
                                           index_kind text, model_version text, online boolean DEFAULT false)
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('CREATE INDEX %s%I ON %s USING hnsw ((%s::%I.%I(%s)) %I.%I) WITH (m = %s, ef_construction = %s)%s',
                  CASE WHEN online THEN 'CONCURRENTLY ' ELSE '' END, index_name, relation,
                  CASE index_kind WHEN 'cast' THEN embedding
                       ELSE format('(ROW(%s)::pgvec.%I)', embedding,
                                   CASE vector_storage WHEN 'vector' THEN 'boxed' ELSE 'boxed_half' END) END,
                  s.vectors, vector_storage, dimensions, s.vectors,
                  vector_storage || CASE distance WHEN 'cosine' THEN '_cosine_ops' WHEN 'l2' THEN '_l2_ops'
                                                  ELSE '_ip_ops' END,
                  m, ef_construction,
                  CASE index_kind WHEN 'cast' THEN format(' WHERE model_version = %L', model_version) ELSE '' END)
      FROM pgvec.vector_schema() s (vectors);
$$;
