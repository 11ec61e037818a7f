-- Returns the record of an adoption.
-- Raises: PV001 (none was begun for a collection of this name).
CREATE OR REPLACE FUNCTION pgvec.get_adoption(collection text)
RETURNS pgvec.adoption LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    a pgvec.adoption;
BEGIN
    SELECT k.* INTO a FROM pgvec.adoption k WHERE k.collection = get_adoption.collection;
    IF NOT FOUND THEN
        PERFORM pgvec.raise_error('PV001', format('no table was adopted as %s.', coalesce(collection, 'NULL')),
            jsonb_build_object('collection', collection), 'SELECT pgvec.begin_adoption(…), or: pgvec adopt TABLE.');
    END IF;
    RETURN a;
END
$$;
