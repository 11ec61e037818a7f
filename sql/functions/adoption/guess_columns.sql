-- Guesses which column of a table is what, from its key, its types and the names that people and libraries give.
-- Shape: an object: the chunk table's column to the table's own name for it. Only what was found is in it. A column
-- 'embedding' is found when the table has exactly one column of type vector or halfvec.
CREATE OR REPLACE FUNCTION pgvec.guess_columns(source regclass)
RETURNS jsonb LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH own AS (
        SELECT a.attname AS name, a.attnum, format_type(a.atttypid, NULL) AS type
          FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    ), known (target, types, names) AS (VALUES
        ('content', '{text,"character varying"}'::text[],
         '{content,document,text,chunk,body,page_content,page,passage}'::text[]),
        ('metadata', '{jsonb}', '{metadata,langchain_metadata,cmetadata,metadata_,meta}'),
        ('document_id', '{text,"character varying"}', '{document_id,source_id,doc_id,source}')
    ), found AS (
        SELECT 'chunk_id' AS target, (SELECT o.name FROM own o WHERE o.attnum = i.indkey[0]) AS name
          FROM pg_catalog.pg_index i
         WHERE i.indrelid = $1 AND i.indisprimary AND i.indnkeyatts = 1
        UNION ALL
        SELECT 'embedding', max(o.name) FROM own o
          JOIN pg_catalog.pg_attribute a ON a.attrelid = $1 AND a.attnum = o.attnum
         WHERE pgvec.is_vector_type(a.atttypid::regtype)
        HAVING count(*) = 1
        UNION ALL
        SELECT k.target, (SELECT o.name FROM own o
                           WHERE o.name = ANY (k.names) AND o.type = ANY (k.types)
                           ORDER BY array_position(k.names, o.name::text) LIMIT 1)
          FROM known k
    )
    SELECT coalesce(jsonb_object_agg(f.target, f.name), '{}') FROM found f WHERE f.name IS NOT NULL;
$$;
