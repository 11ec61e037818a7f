-- Returns the chunk table of a collection: the table that create_collection made, never another one with its name.
-- Raises: PV001, PV007 (it was dropped, renamed or moved by hand; DETAIL says where it is now).
CREATE OR REPLACE FUNCTION pgvec.chunk_table(collection text)
RETURNS regclass LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
BEGIN
    IF NOT EXISTS (SELECT FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace
                    WHERE t.oid = c.chunk_table AND t.relkind = 'p'
                      AND t.relname = c.collection AND n.nspname = c.host_schema) THEN
        PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint) FROM pgvec.refuse_lost_table(collection) r;
    END IF;
    RETURN c.chunk_table;
END
$$;
