-- Trigger on every table of the catalog: refuses TRUNCATE, also one that comes by CASCADE. The catalog would forget
-- versions that still have leaves, deletes that other versions must not undo, or work that nobody would do.
-- Raises: PV007.
CREATE OR REPLACE FUNCTION pgvec.refuse_truncate()
RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgvec.raise_error('PV007', format('TRUNCATE of pgvec.%s is refused.', TG_TABLE_NAME),
        jsonb_build_object('table', TG_TABLE_NAME),
        'To remove a collection: pgvec.drop_collection. To plan work again: pgvec.plan_backfill.');
    RETURN NULL;
END
$$;
DO $$
DECLARE
    relation regclass;
BEGIN
    -- The event log has a trigger of its own.
    FOR relation IN SELECT c.oid FROM pg_catalog.pg_class c
                     WHERE c.relnamespace = 'pgvec'::regnamespace AND c.relkind = 'r' AND c.relname <> 'version_event'
    LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER refuse_truncate BEFORE TRUNCATE ON %s '
                       'FOR EACH STATEMENT EXECUTE FUNCTION pgvec.refuse_truncate()', relation);
    END LOOP;
END
$$;
