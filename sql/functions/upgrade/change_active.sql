-- For switch_active, under its locks: the version that is active drains, the other one becomes active.
-- Arguments:
--   attempt  which try this is, for the event
-- Returns the label that was active before, or NULL.
-- Raises: PV001 (no such collection), PV002 (no such version), PV005 (the verb does not start from its state).
CREATE OR REPLACE FUNCTION pgvec.change_active(collection text, model_version text, verb text, attempt integer)
RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    previous CONSTANT text := pgvec.active_version(collection);
    problems CONSTANT jsonb := pgvec.catalog_problems(collection, model_version);
BEGIN
    -- The old one leaves before the new one comes: at no moment are two versions active.
    IF previous IS NOT NULL THEN
        PERFORM pgvec.change_state(collection, previous, verb, 'draining', jsonb_build_object('to', model_version));
    END IF;
    PERFORM pgvec.change_state(collection, model_version, verb, 'active',
        jsonb_build_object('previous', previous, 'attempt', attempt)
        || CASE WHEN problems = '{}' THEN '{}' ELSE jsonb_build_object('missing', problems) END);
    UPDATE pgvec.collection c SET epoch = c.epoch + 1 WHERE c.collection = change_active.collection;
    RETURN previous;
END
$$;
