-- Drops the foreign keys of other tables to this one, so that its key can be replaced, and returns the statements that
-- create them again. They do not check the rows that are there.
CREATE OR REPLACE FUNCTION pgvec.drop_referring_keys(referred regclass)
RETURNS text[] LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    again CONSTANT text[] := ARRAY(
        SELECT format('ALTER TABLE %s ADD CONSTRAINT %I %s%s', k.conrelid::regclass, k.conname,
                      pg_get_constraintdef(k.oid), CASE WHEN k.convalidated THEN ' NOT VALID' ELSE '' END)
          FROM pg_catalog.pg_constraint k
         WHERE k.confrelid = referred AND k.contype = 'f' AND k.conparentid = 0);
    statement text;
BEGIN
    FOR statement IN
        SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', k.conrelid::regclass, k.conname)
          FROM pg_catalog.pg_constraint k WHERE k.confrelid = referred AND k.contype = 'f' AND k.conparentid = 0
    LOOP
        EXECUTE statement;
    END LOOP;
    RETURN again;
END
$$;
