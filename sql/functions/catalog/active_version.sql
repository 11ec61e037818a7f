-- Returns the label of the active version, or NULL before the first cut-over.
-- Raises: PV001.
CREATE OR REPLACE FUNCTION pgvec.active_version(collection text)
RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    label text;
BEGIN
    SELECT v.model_version INTO label FROM pgvec.model_version v
     WHERE v.collection = active_version.collection AND v.state = 'active';
    IF NOT FOUND THEN
        PERFORM pgvec.get_collection(collection);
    END IF;
    RETURN label;
END
$$;
