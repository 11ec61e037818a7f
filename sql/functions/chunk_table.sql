-- The chunk table of a collection. Raises PV001, and PV007 when the table was dropped or renamed by hand.
CREATE OR REPLACE FUNCTION pgvec.chunk_table(collection text)
RETURNS regclass LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    found_table regclass := to_regclass(format('%I.%I', c.host_schema, c.collection));
BEGIN
    IF found_table IS NULL THEN
        PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint) FROM pgvec.refuse_lost_table(collection) r;
    END IF;
    RETURN found_table;
END
$$;
