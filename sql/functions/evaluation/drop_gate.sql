-- Takes a collection's gate away; recorded in version_event. Returns whether there was one. Raises PV001.
CREATE OR REPLACE FUNCTION pgvec.drop_gate(collection text)
RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    gone pgvec.gate;
BEGIN
    PERFORM pgvec.get_collection(collection);
    DELETE FROM pgvec.gate g WHERE g.collection = drop_gate.collection RETURNING g.* INTO gone;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM pgvec.log_event(collection, NULL, 'drop_gate', NULL, NULL, jsonb_build_object('bounds', gone.bounds));
    RETURN true;
END
$$;
