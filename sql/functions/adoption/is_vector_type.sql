-- Whether a type is pgvector's vector or halfvec.
CREATE OR REPLACE FUNCTION pgvec.is_vector_type(type regtype)
RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
                    WHERE t.oid = $1 AND n.nspname = pgvec.vector_schema() AND t.typname IN ('vector', 'halfvec'));
$$;
