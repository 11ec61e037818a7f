-- The columns that every chunk table has.
CREATE OR REPLACE FUNCTION pgvec.standard_columns()
RETURNS text[] LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT '{chunk_id,model_version,document_id,position,content,metadata,embedding,written_at,turn}'::text[];
$$;
