-- What create_collection does, for a dry run.
CREATE OR REPLACE FUNCTION pgvec.describe_create_collection(collection text, host_schema text)
RETURNS TABLE (what text, detail jsonb) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('creates the chunk table %1$I.%2$I, its triggers and the empty view active_%2$s',
                  $2, $1), '{}'::jsonb;
$$;
