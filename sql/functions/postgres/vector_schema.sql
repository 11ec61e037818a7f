-- The schema that pgvector is installed in.
-- Raises: PV010 (pgvector is not in this database).
-- Why: statements name pgvector's types and operators with it, so that the caller's search_path never decides which
-- operator runs.
CREATE OR REPLACE FUNCTION pgvec.vector_schema()
RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found_schema text;
BEGIN
    SELECT n.nspname INTO found_schema
      FROM pg_catalog.pg_extension e
      JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
     WHERE e.extname = 'vector';
    IF NOT FOUND THEN
        PERFORM pgvec.raise_error('PV010', 'the extension vector is not in this database.',
            '{"requirement": "vector"}', 'CREATE EXTENSION vector;');
    END IF;
    RETURN found_schema;
END
$$;
