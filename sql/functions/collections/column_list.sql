-- Returns the chunk table's columns, quoted, in their order.
-- Arguments:
--   carried_only  only the columns that a change of one version's row carries to the others besides the content: not
--                 the identity, the vector or generated columns; written_at and turn come last
CREATE OR REPLACE FUNCTION pgvec.column_list(chunk_table regclass, carried_only boolean DEFAULT false)
RETURNS text[] LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_agg(quote_ident(a.attname) ORDER BY carried_only AND a.attname IN ('written_at', 'turn'), a.attnum)
      FROM pg_catalog.pg_attribute a
     WHERE a.attrelid = chunk_table AND a.attnum > 0 AND NOT a.attisdropped
       AND (NOT carried_only
            OR (a.attgenerated = '' AND a.attname NOT IN ('chunk_id', 'model_version', 'content', 'embedding')));
$$;
