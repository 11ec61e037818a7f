-- The statements that build the index of a version while writers go on, in their order. Run each outside a
-- transaction: in psql, SELECT * FROM pgvec.index_statements('docs', 'v2') \gexec. They wait for the writers of this
-- moment, drop what a broken build left behind, build, and record the build. Transition.build_index runs the same.
-- Shape: one row a statement; no row when a valid index exists already.
-- Raises: PV001 (no such collection), PV002 (no such version), PV005 (not live), PV009 (another session builds it),
-- PV060 (paused).
CREATE OR REPLACE FUNCTION pgvec.index_statements(collection text, model_version text)
RETURNS SETOF text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    found CONSTANT text := pgvec.index_state(v.leaf);
BEGIN
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
       FROM pgvec.refuse_build_index(collection, model_version) r;
    IF found = 'valid' THEN
        RETURN;
    END IF;
    RETURN NEXT format('SELECT pgvec.await_writers(%L, %L)', collection, model_version);
    IF found = 'invalid' THEN
        RETURN NEXT format('DROP INDEX CONCURRENTLY pgvec_leaves.%I', v.leaf || '_hnsw');
    END IF;
    RETURN NEXT pgvec.index_sql(c, v, true);
    RETURN NEXT format('SELECT pgvec.record_index(%L, %L, %L)', collection, model_version, clock_timestamp());
END
$$;
