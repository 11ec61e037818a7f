-- A row of PV007 when the chunk table of a collection was dropped or renamed by hand, or none. Raises PV001.
CREATE OR REPLACE FUNCTION pgvec.refuse_lost_table(collection text)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'PV007',
           format('the chunk table %I.%I is gone: it was dropped or renamed by hand.', c.host_schema, c.collection),
           jsonb_build_object('collection', c.collection),
           'Give it its name back, or SELECT pgvec.drop_collection(…).'
      FROM pgvec.get_collection($1) c
     WHERE to_regclass(format('%I.%I', c.host_schema, c.collection)) IS NULL;
$$;
