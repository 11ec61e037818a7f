-- Why drop_collection would refuse: a row of 2BP01 when something of the host's depends on the chunk table or a view,
-- or none. Raises PV001.
CREATE OR REPLACE FUNCTION pgvec.refuse_drop_collection(collection text)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT '2BP01',
           format('drop_collection: something of yours depends on %s: %s.', $1,
                  string_agg(d.dependent, '; ' ORDER BY d.dependent)),
           jsonb_build_object('collection', $1, 'dependents', jsonb_agg(d.dependent ORDER BY d.dependent)),
           'Drop what depends on it first.'
      FROM pgvec.host_dependents(ARRAY(SELECT pgvec.collection_relations($1))) d
    HAVING count(*) > 0;
$$;
