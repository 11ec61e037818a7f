-- The vector indexes that a table had before its adoption and still has: with them the way back takes a moment. They
-- are on the bare column, which has no length now, so that PostgreSQL cannot build them again: TRUNCATE, REINDEX,
-- VACUUM FULL and a restore of a dump fail on them. pgvec.finish_steps drops them.
CREATE OR REPLACE FUNCTION pgvec.old_vector_indexes(collection text)
RETURNS SETOF regclass LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT i.indexrelid::regclass
      FROM pgvec.adoption a
      JOIN pg_catalog.pg_index i ON i.indrelid = a.source
      JOIN pg_catalog.pg_class r ON r.oid = i.indexrelid
      JOIN pg_catalog.pg_am m ON m.oid = r.relam
     WHERE a.collection = $1 AND m.amname IN ('hnsw', 'ivfflat') AND r.relname <> a.leaf || '_hnsw';
$$;
