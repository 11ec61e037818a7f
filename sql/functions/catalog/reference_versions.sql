-- Lists the versions that a version is compared with. The active one is compared with those that are ready or draining
-- and follow writes; any other with the active one. Before the first cut-over: with every other live one, so that no
-- version becomes the first active one without what was written before it was registered.
-- Raises: PV001, PV002.
CREATE OR REPLACE FUNCTION pgvec.reference_versions(collection text, model_version text)
RETURNS SETOF pgvec.model_version LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET row_security = on AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
BEGIN
    RETURN QUERY
    SELECT o.* FROM pgvec.model_version o
     WHERE o.collection = v.collection AND o.model_version <> v.model_version
       AND CASE WHEN v.state = 'active' THEN o.state IN ('ready', 'draining') AND o.follows
                WHEN pgvec.active_version(v.collection) IS NULL THEN o.state IN ('building', 'ready')
                ELSE o.state = 'active' END;
END
$$;
