-- Trigger on pgvec.version_event: events are never changed or deleted.
-- Raises: PV007.
CREATE OR REPLACE FUNCTION pgvec.refuse_event_change()
RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgvec.raise_error('PV007', format('pgvec.version_event is append-only: %s is refused.', TG_OP),
        jsonb_build_object('operation', TG_OP), 'Copy the rows elsewhere if they are in the way.');
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON pgvec.version_event
    FOR EACH STATEMENT EXECUTE FUNCTION pgvec.refuse_event_change();
