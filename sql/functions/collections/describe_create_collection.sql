-- Describes what create_collection does, for a dry run.
CREATE OR REPLACE FUNCTION pgvec.describe_create_collection(collection text, host_schema text)
RETURNS TABLE (what text, detail jsonb) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('creates the chunk table %s.%s, its triggers and the empty view active_%s', quote_ident($2),
                  quote_ident($1), $1), '{}'::jsonb;
$$;
