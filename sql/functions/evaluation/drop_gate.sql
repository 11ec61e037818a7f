-- Removes the gate of a collection. Recorded in version_event.
-- Returns whether there was one.
-- Raises: PV001 (no such collection).
CREATE OR REPLACE FUNCTION pgvec.drop_gate(collection text)
RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old_gate pgvec.gate;
BEGIN
    PERFORM pgvec.get_collection(collection);
    DELETE FROM pgvec.gate g WHERE g.collection = drop_gate.collection RETURNING g.* INTO old_gate;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM pgvec.log_event(collection, NULL, 'drop_gate', NULL, NULL, jsonb_build_object('bounds', old_gate.bounds));
    RETURN true;
END
$$;
