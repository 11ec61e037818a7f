-- The catalog row of a collection. Raises PV001 when there is none.
-- row_security: a caller who insists on seeing every chunk (off) is still shown no more of the catalog than is his.
CREATE OR REPLACE FUNCTION pgvec.get_collection(collection text)
RETURNS pgvec.collection LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on AS $$
DECLARE
    found_row pgvec.collection;
BEGIN
    SELECT c.* INTO found_row FROM pgvec.collection c WHERE c.collection = get_collection.collection;
    IF NOT FOUND THEN
        PERFORM pgvec.raise_error('PV001', format('there is no collection %s.', coalesce(quote_literal(collection), 'without a name')),
            jsonb_build_object('collection', collection,
                               'collections', (SELECT coalesce(jsonb_agg(c.collection ORDER BY c.collection), '[]') FROM pgvec.collection c)),
            coalesce('There is: ' || (SELECT string_agg(c.collection, ', ' ORDER BY c.collection) FROM pgvec.collection c) || '.',
                     'Create it: pgvec init NAME, or SELECT pgvec.create_collection(''NAME'').'));
    END IF;
    RETURN found_row;
END
$$;
