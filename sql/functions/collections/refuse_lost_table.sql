-- Returns a row of PV007 when the chunk table of a collection was dropped, renamed or moved by hand (DETAIL says where
-- it is now), or none. Another table with its name does not count.
-- Raises: PV001.
CREATE OR REPLACE FUNCTION pgvec.refuse_lost_table(collection text)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'PV007',
           CASE WHEN t.oid IS NULL
                THEN format('the chunk table %I.%I is gone: it was dropped by hand.', c.host_schema, c.collection)
                ELSE format('the chunk table %I.%I is now %I.%I: it was renamed or moved by hand.',
                            c.host_schema, c.collection, n.nspname, t.relname) END,
           jsonb_strip_nulls(jsonb_build_object('collection', c.collection, 'schema', n.nspname,
                                                'relation', t.relname)),
           CASE WHEN t.oid IS NULL THEN format('SELECT pgvec.drop_collection(%L);', c.collection)
                ELSE format('Give it its name back (ALTER TABLE %I.%I RENAME TO …, SET SCHEMA …), '
                            'or SELECT pgvec.drop_collection(%L).', n.nspname, t.relname, c.collection) END
      FROM pgvec.get_collection($1) c
      LEFT JOIN pg_class t ON t.oid = c.chunk_table AND t.relkind = 'p'
      LEFT JOIN pg_namespace n ON n.oid = t.relnamespace
     WHERE (n.nspname, t.relname) IS DISTINCT FROM (c.host_schema::name, c.collection::name);
$$;
