-- Creates or replaces active_<collection> for the active version; without one it is empty. Its
-- columns never change type, so dependent views and grants survive.
-- The empty view names no table, so that whoever may read it needs no privilege on the chunk table.
-- Raises PV001, PV004 and PV007 (see own_view).
CREATE OR REPLACE FUNCTION pgvec.put_routing_view(collection text, without text[] DEFAULT '{}')
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    label text := pgvec.active_version(collection);
    made regclass;
BEGIN
    made := pgvec.put_view(c.host_schema, 'active_' || c.collection, c.collection,
        CASE WHEN label IS NULL
             THEN (SELECT format('SELECT %s WHERE false', string_agg(format('NULL::%s%s AS %I', format_type(a.atttypid, a.atttypmod), coalesce(' COLLATE ' || k.oid::regcollation, ''), a.attname), ', ' ORDER BY a.attnum))
                     FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid LEFT JOIN pg_catalog.pg_collation k ON k.oid = a.attcollation AND k.oid <> t.typcollation
                    WHERE a.attrelid = pgvec.chunk_table(collection) AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> ALL (without))
             ELSE pgvec.view_source(collection, label, without)
                  || format(' AND pgvec.assert_query_version(%L, %L)', c.collection, label) END, c.routing_view);
    UPDATE pgvec.collection k SET routing_view = made
     WHERE k.collection = c.collection AND k.routing_view IS DISTINCT FROM made;
END
$$;
