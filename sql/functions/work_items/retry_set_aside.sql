-- Opens the work items again that were set aside for a version, or for all of the collection.
-- Returns how many.
-- Raises: PV001 (no such collection), 42501 (not a worker of this collection).
CREATE OR REPLACE FUNCTION pgvec.retry_set_aside(collection text, model_version text DEFAULT NULL)
RETURNS bigint LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT pgvec.ask_door('queue', $1, 'retry_set_aside', jsonb_build_object('model_version', $2))::bigint;
$$;
