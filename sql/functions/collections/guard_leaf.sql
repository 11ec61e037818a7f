-- Creates the trigger that keeps a TRUNCATE from emptying one leaf alone.
CREATE OR REPLACE FUNCTION pgvec.guard_leaf(leaf regclass)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('CREATE OR REPLACE TRIGGER pgvec_refuse_truncate AFTER TRUNCATE ON %s '
                   'FOR EACH STATEMENT EXECUTE FUNCTION pgvec.refuse_leaf_truncate()', leaf);
END
$$;
