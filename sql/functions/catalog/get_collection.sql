-- Returns the catalog row of a collection.
-- Raises: PV001 (there is none).
-- Why row_security = on: a session that turned it off, to see every chunk or fail, still sees only its own collections.
CREATE OR REPLACE FUNCTION pgvec.get_collection(collection text)
RETURNS pgvec.collection LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on AS $$
DECLARE
    found_row pgvec.collection;
    known text[];
BEGIN
    SELECT c.* INTO found_row FROM pgvec.collection c WHERE c.collection = get_collection.collection;
    IF NOT FOUND THEN
        known := ARRAY(SELECT c.collection FROM pgvec.collection c ORDER BY c.collection);
        PERFORM pgvec.raise_error('PV001',
            format('there is no collection %s.', coalesce(quote_literal(collection), 'without a name')),
            jsonb_build_object('collection', collection, 'collections', known),
            CASE WHEN known <> '{}' THEN 'There is: ' || array_to_string(known, ', ') || '.'
                 ELSE 'Create it: pgvec init NAME, or SELECT pgvec.create_collection(''NAME'').' END);
    END IF;
    RETURN found_row;
END
$$;
