-- The versions to delete through: all but one whose index is being built, which a delete would wait for; there the delete
-- is carried by a work item. No build of these begins before the caller's transaction ends.
-- carries: false for an abandoned version, which carries nothing to the others.
-- Raises PV001, 42501 (no writer of this collection).
CREATE OR REPLACE FUNCTION pgvec.free_versions(collection text)
RETURNS TABLE (model_version text, carries boolean)
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT f.model_version, f.carries
      FROM jsonb_to_recordset(pgvec.ask_door('waiting', $1, 'free_versions', '{}')) f (model_version text, carries boolean);
$$;
