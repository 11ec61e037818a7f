-- Lists the chunks that a version holds in another form than the version that it is compared with, and that no work
-- item is going to settle. Ordinary writes leave none: somebody wrote around the triggers, or lost the work items.
-- Shape: a row for each chunk and difference:
--   missing    the version lacks it
--   stale      the version holds an older form
--   different  both rows have the same turn, so that one was changed around the triggers
--   ahead      the version holds a later form than the active one
--   surplus    the active version lacks it, and nobody deleted it through the triggers
--   deleted    it was deleted later than this row was written
--   undrawn    its turn was never drawn from pgvec.turn, so that it would win against every later write
-- What an active version lacks comes once, as missing or stale in the active one, where the other version follows.
-- Raises: PV001 (no such collection), PV002 (no such version), 42501 (row-level security would hide rows).
CREATE OR REPLACE FUNCTION pgvec.unsettled_chunks(collection text, model_version text)
RETURNS TABLE (chunk_id text, difference text) LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    target pgvec.model_version := pgvec.get_version(collection, model_version);
    active CONSTANT text := pgvec.active_version(collection);
    source pgvec.model_version;
BEGIN
    IF target.dropped_at IS NOT NULL OR to_regclass(format('pgvec_leaves.%I', target.leaf)) IS NULL THEN
        RETURN;
    END IF;
    FOR source IN SELECT * FROM pgvec.reference_versions(collection, model_version) LOOP
        CONTINUE WHEN to_regclass(format('pgvec_leaves.%I', source.leaf)) IS NULL;
        RETURN QUERY EXECUTE pgvec.unsettled_sql(c, source, target) USING c.collection, source.model_version,
            target.model_version,
            CASE WHEN target.state = 'active' THEN ARRAY['missing', 'stale']
                 WHEN active IS NULL THEN ARRAY['missing', 'stale', 'different']
                 ELSE ARRAY['missing', 'stale', 'different', 'ahead', 'surplus'] END;
    END LOOP;
    RETURN QUERY EXECUTE format($query$
        SELECT held.chunk_id::text, 'undrawn' FROM pgvec_leaves.%1$I held
         WHERE held.turn > (SELECT q.last_value FROM pgvec.turn q)
        UNION ALL
        SELECT DISTINCT held.chunk_id::text, 'deleted'
          FROM pgvec_leaves.%1$I held
          JOIN pgvec.tombstone d
            ON d.collection = $1 AND d.chunk_id = held.chunk_id::text AND d.turn >= held.turn
         WHERE NOT EXISTS (SELECT FROM pgvec.work_item w
                            WHERE w.collection = $1 AND w.model_version = $2
                              AND ((w.lo = held.chunk_id::text AND w.hi = w.lo) OR w.lo <> w.hi))
    $query$, target.leaf) USING c.collection, target.model_version;
END
$$;
