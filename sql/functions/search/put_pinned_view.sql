-- Creates or replaces <collection>_at_<version>: one version, whichever is active. Its name says which version is
-- meant, so a session that declared none may read it; a session that declared another version may not.
-- Arguments:
--   without  columns to leave out; the host is about to drop them
-- Raises: PV001, PV002, PV004 and PV007 (see pgvec.own_view).
CREATE OR REPLACE FUNCTION pgvec.put_pinned_view(collection text, model_version text, without text[] DEFAULT '{}')
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    made regclass;
BEGIN
    made := pgvec.put_view(c.host_schema, v.pinned_view, c.collection,
        pgvec.view_source(collection, model_version, without)
            || format(' AND pgvec.assert_query_version(%L, %L, true)', c.collection, v.model_version),
        v.pinned_relation);
    UPDATE pgvec.model_version k SET pinned_relation = made
     WHERE k.collection = v.collection AND k.model_version = v.model_version
       AND k.pinned_relation IS DISTINCT FROM made;
END
$$;
