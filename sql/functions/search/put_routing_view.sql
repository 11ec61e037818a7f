-- Creates or replaces active_<collection> for the active version; without one it is empty. Its columns never change
-- type, so dependent views and grants survive.
-- Arguments:
--   without  columns to leave out; the host is about to drop them
-- Raises: PV001, PV004 and PV007 (see pgvec.own_view).
CREATE OR REPLACE FUNCTION pgvec.put_routing_view(collection text, without text[] DEFAULT '{}')
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c CONSTANT pgvec.collection := pgvec.get_collection(collection);
    label CONSTANT text := pgvec.active_version(collection);
    source text;
    made regclass;
BEGIN
    IF label IS NULL THEN
        source := pgvec.empty_source(collection, without);
    ELSE
        source := pgvec.view_source(collection, label, without)
            || format(' AND pgvec.assert_query_version(%L, %L)', c.collection, label);
    END IF;
    made := pgvec.put_view(c.host_schema, 'active_' || c.collection, c.collection, source, c.routing_view);
    UPDATE pgvec.collection k SET routing_view = made
     WHERE k.collection = c.collection AND k.routing_view IS DISTINCT FROM made;
END
$$;
