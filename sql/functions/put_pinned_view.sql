-- Creates or replaces <collection>_at_<version>: one version, whatever is active. Its name says which
-- version is meant, so a session that declared nothing may read it; one that declared another may not.
CREATE OR REPLACE FUNCTION pgvec.put_pinned_view(collection text, model_version text, without text[] DEFAULT '{}')
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    v pgvec.model_version := pgvec.get_version(collection, model_version);
BEGIN
    PERFORM pgvec.put_view(c.host_schema, v.pinned_view, c.collection,
        pgvec.view_source(collection, model_version, without) || format(' AND pgvec.assert_query_version(%L, %L, true)', c.collection, v.model_version));
END
$$;
