-- Says why drop_collection would refuse: a host object depends on the chunk table or a view.
-- Raises: PV001.
CREATE OR REPLACE FUNCTION pgvec.refuse_drop_collection(collection text)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM pgvec.refuse_dependents($1, 'drop_collection', $1, ARRAY(SELECT pgvec.collection_relations($1)));
$$;
