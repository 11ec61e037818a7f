-- What retry_set_aside does, behind the workers' door of the collection: only the owner can call it.
-- Returns how many.
-- Raises: PV001 (no such collection).
CREATE OR REPLACE FUNCTION pgvec.reopen_items(collection text, model_version text)
RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    opened bigint;
BEGIN
    UPDATE pgvec.work_item w SET set_aside_at = NULL, attempts = 0, lease = NULL, leased_until = NULL
     WHERE w.collection = c.collection AND w.set_aside_at IS NOT NULL
       AND (reopen_items.model_version IS NULL OR w.model_version = reopen_items.model_version);
    GET DIAGNOSTICS opened = ROW_COUNT;
    RETURN opened;
END
$$;
