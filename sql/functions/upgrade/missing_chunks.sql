-- Says from the rows, not from the work items, which chunks a version is missing: the ids of chunks that it lacks, or
-- holds in an older form than the version that it is compared with.
-- Two rows with one turn are one write. If they differ, somebody wrote around the triggers, and the active version's
-- row is right: it is what your users see.
-- Shape: one row a chunk.
-- Raises: PV001 (no such collection), PV002 (no such version), PV005 (the version has no leaf any more), 42501
-- (row-level security would hide rows, and so chunks that are missing).
CREATE OR REPLACE FUNCTION pgvec.missing_chunks(collection text, model_version text)
RETURNS TABLE (chunk_id text) LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
DECLARE
    chunks CONSTANT regclass := (pgvec.get_collection(collection)).chunk_table;
    target pgvec.model_version := pgvec.get_version(collection, model_version);
    source pgvec.model_version;
    comparisons text[] := '{}';
BEGIN
    IF target.dropped_at IS NOT NULL THEN
        PERFORM pgvec.raise_error('PV005',
            format('version %s of %s is %s: it has no chunks any more.', target.model_version, target.collection,
                   target.state),
            jsonb_build_object('collection', collection, 'model_version', model_version, 'state', target.state),
            'Name a live version; see pgvec.version_status.');
    END IF;
    FOR source IN SELECT * FROM pgvec.reference_versions(collection, model_version) LOOP
        comparisons := comparisons || format($query$
            SELECT source.chunk_id
              FROM %1$s source LEFT JOIN %2$s target ON target.chunk_id = source.chunk_id
             WHERE (target.chunk_id IS NULL OR (source.turn %3$s target.turn AND source.digest <> target.digest))
               AND NOT EXISTS (SELECT FROM pgvec.tombstone d
                                WHERE d.collection = $1 AND d.chunk_id = source.chunk_id::text
                                  AND d.turn >= source.turn)
        $query$, pgvec.digests_sql(chunks, source.leaf), pgvec.digests_sql(chunks, target.leaf),
            CASE target.state WHEN 'active' THEN '>' ELSE '>=' END);
    END LOOP;
    IF cardinality(comparisons) > 0 THEN
        RETURN QUERY EXECUTE format('SELECT m.chunk_id::text FROM (%s) m ORDER BY m.chunk_id',
                                    array_to_string(comparisons, ' UNION ')) USING target.collection;
    END IF;
END
$$;
