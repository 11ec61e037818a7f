-- Creates or replaces active_<collection> for the active version; without one it is empty. Its
-- columns never change type, so dependent views and grants survive. security_invoker is restated
-- each time, or it would be lost; security_barrier is never set, it would disable the index.
CREATE OR REPLACE FUNCTION pgvec.put_routing_view(collection text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    label text := pgvec.active_version(collection);
BEGIN
    EXECUTE format('CREATE OR REPLACE VIEW %I.%I WITH (security_invoker = true) AS ', c.host_schema, 'active_' || c.collection)
            || CASE WHEN label IS NULL
                    THEN format('SELECT %s FROM %I.%I WHERE false', array_to_string(pgvec.column_list(pgvec.chunk_table(collection)), ', '), c.host_schema, c.collection)
                    ELSE pgvec.view_source(collection, label) || format(' AND pgvec.assert_query_version(%L, %L)', c.collection, label) END;
END
$$;
