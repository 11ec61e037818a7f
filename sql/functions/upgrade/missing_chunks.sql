-- The truth about a version, from the rows and not from the work items: the ids of chunks that it
-- lacks, or holds with content that was changed later in the version it is compared with.
-- Shape: one row a chunk. Raises PV001, PV002, PV005 when the version has no leaf any more, 42501
-- where row-level security would hide rows: half a truth is none.
CREATE OR REPLACE FUNCTION pgvec.missing_chunks(collection text, model_version text)
RETURNS TABLE (chunk_id text) LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    o pgvec.model_version;
    parts text[] := '{}';
BEGIN
    IF v.dropped_at IS NOT NULL THEN
        PERFORM pgvec.raise_error('PV005', format('version %s of %s is %s: it has no chunks any more.', v.model_version, v.collection, v.state),
            jsonb_build_object('collection', collection, 'model_version', model_version, 'state', v.state), 'Name a live version; see pgvec.version_status.');
    END IF;
    FOR o IN SELECT * FROM pgvec.reference_versions(collection, model_version) LOOP
        parts := parts || format('SELECT s.chunk_id FROM pgvec_leaves.%I s LEFT JOIN pgvec_leaves.%I t ON t.chunk_id = s.chunk_id '
                                 'WHERE (t.chunk_id IS NULL OR (t.content <> s.content AND s.turn > t.turn)) '
                                 'AND NOT EXISTS (SELECT FROM pgvec.tombstone d WHERE d.collection = %L AND d.chunk_id = s.chunk_id::text AND d.turn >= s.turn)', o.leaf, v.leaf, v.collection);
    END LOOP;
    IF cardinality(parts) > 0 THEN
        RETURN QUERY EXECUTE 'SELECT d.chunk_id::text FROM (' || array_to_string(parts, ' UNION ') || ') d ORDER BY d.chunk_id';
    END IF;
END
$$;
