-- The chunk table of a collection. Raises PV001, and PV007 when the table was dropped or renamed by hand.
CREATE OR REPLACE FUNCTION pgvec.chunk_table(collection text)
RETURNS regclass LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    found_table regclass := to_regclass(format('%I.%I', c.host_schema, c.collection));
BEGIN
    IF found_table IS NULL THEN
        PERFORM pgvec.raise_error('PV007', format('the chunk table %I.%I is gone: it was dropped or renamed by hand.', c.host_schema, c.collection),
            jsonb_build_object('collection', collection), 'Give it its name back, or SELECT pgvec.drop_collection(…).');
    END IF;
    RETURN found_table;
END
$$;
