-- A row of PV007 when the mapping of columns is no object of names, or none.
CREATE OR REPLACE FUNCTION pgvec.refuse_mapping(columns jsonb)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'PV007', 'columns must be a JSON object: a chunk table''s column to the table''s own name for it.',
           jsonb_build_object('columns', $1), 'For example {"content": "body"}.'
     WHERE jsonb_typeof($1) <> 'object'
        OR EXISTS (SELECT FROM jsonb_path_query($1, 'strict $.*') v (value) WHERE jsonb_typeof(v.value) <> 'string')
    UNION ALL
    SELECT 'PV007', format('columns: a chunk table has no column %L to map.', k.name),
           jsonb_build_object('column', k.name), 'chunk_id, content, metadata, document_id, position or embedding.'
      FROM jsonb_object_keys(CASE jsonb_typeof($1) WHEN 'object' THEN $1 ELSE '{}' END) k (name)
     WHERE k.name <> ALL ('{chunk_id,content,metadata,document_id,position,embedding}');
$$;
