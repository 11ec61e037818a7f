-- Opens again what was set aside for the version (or for all of the collection). Returns how many. Raises PV001.
CREATE OR REPLACE FUNCTION pgvec.retry_set_aside(collection text, model_version text DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    opened bigint;
BEGIN
    UPDATE pgvec.work_item w SET set_aside_at = NULL, attempts = 0, lease = NULL, leased_until = NULL
     WHERE w.collection = c.collection AND w.set_aside_at IS NOT NULL
       AND (retry_set_aside.model_version IS NULL OR w.model_version = retry_set_aside.model_version);
    GET DIAGNOSTICS opened = ROW_COUNT;
    RETURN opened;
END
$$;
