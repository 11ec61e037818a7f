-- Lists the versions to delete through: all but one whose index is being built. A delete there would wait for the
-- build, so a work item carries it. No build of the listed versions begins before the caller's transaction ends.
-- Shape: carries is false for an abandoned version, whose rows carry nothing to the others.
-- Raises: PV001, 42501 (not a writer of this collection).
CREATE OR REPLACE FUNCTION pgvec.free_versions(collection text)
RETURNS TABLE (model_version text, carries boolean)
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT f.model_version, f.carries
      FROM jsonb_to_recordset(pgvec.ask_door('waiting', $1, 'free_versions', '{}'))
           f (model_version text, carries boolean);
$$;
