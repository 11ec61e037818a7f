-- The chunk table of a collection: the very table that create_collection made, never another that bears its name.
-- Raises PV001, and PV007 when it was dropped, renamed or moved by hand (DETAIL says where it is now).
CREATE OR REPLACE FUNCTION pgvec.chunk_table(collection text)
RETURNS regclass LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    found_schema text;
    found_name text;
BEGIN
    SELECT n.nspname, t.relname INTO found_schema, found_name
      FROM pg_catalog.pg_class t JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
     WHERE t.oid = c.chunk_table AND t.relkind = 'p';
    IF NOT FOUND THEN
        PERFORM pgvec.raise_error('PV007',
            format('the chunk table %I.%I is gone: it was dropped by hand.', c.host_schema, c.collection),
            jsonb_build_object('collection', collection), format('SELECT pgvec.drop_collection(%L);', collection));
    ELSIF (found_schema, found_name) IS DISTINCT FROM (c.host_schema, c.collection) THEN
        PERFORM pgvec.raise_error('PV007',
            format('the chunk table %I.%I is now %I.%I: it was renamed or moved by hand.',
                   c.host_schema, c.collection, found_schema, found_name),
            jsonb_build_object('collection', collection, 'schema', found_schema, 'relation', found_name),
            format('Give it its name back (ALTER TABLE %I.%I RENAME TO …, SET SCHEMA …), '
                   'or SELECT pgvec.drop_collection(%L).', found_schema, found_name, collection));
    END IF;
    RETURN c.chunk_table;
END
$$;
