-- The first key of the advisory lock that says "this leaf's index is being built"; the second key is
-- the leaf's oid. A build holds it exclusively, a write to the leaf shares it.
CREATE OR REPLACE FUNCTION pgvec.build_lock_class()
RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$ SELECT 1885824358 $$;
