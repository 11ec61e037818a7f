-- Checks ids given as text before they are cast: each must have the type that the collection's ids have, uuid, bigint
-- or text, and come once.
-- Raises: PV007.
-- Why here: nothing is written in this function, so that its exception block uses up no transaction number.
CREATE OR REPLACE FUNCTION pgvec.check_ids(id_type text, chunk_ids text[])
RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    twice text;
BEGIN
    BEGIN
        EXECUTE format('SELECT min(u.id::text) FROM (SELECT k.id FROM unnest($1::%s[]) k (id) '
                       'GROUP BY k.id HAVING count(*) > 1) u', id_type) INTO twice USING chunk_ids;
    EXCEPTION WHEN data_exception THEN
        PERFORM pgvec.raise_error('PV007', format('a chunk_id is not of type %s: %s.', id_type, SQLERRM),
            jsonb_build_object('id_type', id_type));
    END;
    IF twice IS NOT NULL THEN
        PERFORM pgvec.raise_error('PV007', format('the chunk %s is given twice.', twice),
            jsonb_build_object('chunk_id', twice));
    END IF;
END
$$;
