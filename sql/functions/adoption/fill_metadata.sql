-- Row trigger on an intake, and on a table that is being adopted: metadata that is NULL becomes an empty object. Its
-- argument is the column's name.
CREATE OR REPLACE FUNCTION pgvec.fill_metadata()
RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW := jsonb_populate_record(NEW, jsonb_build_object(TG_ARGV[0], '{}'::jsonb));
    RETURN NEW;
END
$$;
