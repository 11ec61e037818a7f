-- Why a table of a library that is known by its layout cannot be adopted in place: when such a library starts, it looks
-- for a table and takes no view for it (Haystack in pg_tables, vecs for relkind 'r').
CREATE OR REPLACE FUNCTION pgvec.refuse_known_stores(source regclass)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'PV007', format('%s is a store of %s, which would not find it again: when it starts, it looks for a table '
                           'and takes no view for it.', $1, k.library),
           jsonb_build_object('table', $1, 'library', k.library),
           'Copy its rows into a collection instead: docs/adopt.md says how.'
      FROM (VALUES ('vecs', 'vecs', '{id,vec,metadata}'::name[]),
                   ('Haystack', NULL, '{id,embedding,content,blob_data,blob_meta,blob_mime_type,meta}'))
           k (library, schema, columns)
      JOIN pg_catalog.pg_class t ON t.oid = $1
       AND (k.schema IS NULL OR t.relnamespace::regnamespace::text = k.schema)
     WHERE k.columns <@ ARRAY(SELECT a.attname FROM pg_catalog.pg_attribute a
                               WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped);
$$;
