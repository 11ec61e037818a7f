-- Returns the version that roll_back goes back to: of the draining ones, the one that was active last. NULL without
-- one.
CREATE OR REPLACE FUNCTION pgvec.previous_version(collection text)
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT v.model_version FROM pgvec.model_version v WHERE v.collection = $1 AND v.state = 'draining'
     ORDER BY v.draining_at DESC LIMIT 1;
$$;
