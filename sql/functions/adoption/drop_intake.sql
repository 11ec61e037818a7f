-- For the retirement or the end of an adopted version: drops the view with the old name, so that what still uses it
-- fails loudly, and the intake. The leaf is a table of its own afterwards.
-- Raises: PV004 (another role owns the view), 2BP01 (a host object depends on it), 55P03.
CREATE OR REPLACE FUNCTION pgvec.drop_intake(collection text, model_version text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    a pgvec.adoption;
    intake regclass;
BEGIN
    SELECT k.* INTO a FROM pgvec.adoption k
     WHERE k.collection = drop_intake.collection AND k.model_version = drop_intake.model_version;
    SELECT i.inhparent INTO intake FROM pg_catalog.pg_inherits i
     WHERE i.inhrelid = a.source AND i.inhparent = a.intake;
    IF intake IS NOT NULL THEN
        PERFORM pgvec.drop_own_view(a.collection, a.old_view);
        EXECUTE format('ALTER TABLE %s DETACH PARTITION %s', intake, a.source);
        EXECUTE format('DROP TABLE %s', intake);
    END IF;
END
$$;
