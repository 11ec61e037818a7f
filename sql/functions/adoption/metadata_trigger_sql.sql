-- The statement that creates the trigger of pgvec.fill_metadata on a relation whose application may write NULL.
CREATE OR REPLACE FUNCTION pgvec.metadata_trigger_sql(relation regclass, column_name text)
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('CREATE TRIGGER pgvec_fill_metadata BEFORE INSERT OR UPDATE ON %s FOR EACH ROW '
                  'WHEN (NEW.%I IS NULL) EXECUTE FUNCTION pgvec.fill_metadata(%L)', $1, $2, $2);
$$;
