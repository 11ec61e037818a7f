-- Row trigger on an intake: metadata that is NULL becomes an empty object.
CREATE OR REPLACE FUNCTION pgvec.fill_metadata()
RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.metadata := '{}';
    RETURN NEW;
END
$$;
