-- The chunks that a version holds and should not: those that were deleted later than they were written, and those
-- that the active version does not hold while no work item is about to bring them there.
-- Shape: one row a chunk; deleted says which of the two. Raises PV001, PV002, 42501 where row-level security would
-- hide rows.
CREATE OR REPLACE FUNCTION pgvec.surplus_chunks(collection text, model_version text)
RETURNS TABLE (chunk_id text, deleted boolean) LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    active pgvec.model_version;
BEGIN
    RETURN QUERY EXECUTE format('SELECT DISTINCT t.chunk_id::text, true FROM pgvec_leaves.%1$I t JOIN pgvec.tombstone d ON d.collection = %2$L AND d.chunk_id = t.chunk_id::text AND d.turn >= t.turn',
                                v.leaf, c.collection);
    SELECT o.* INTO active FROM pgvec.model_version o WHERE o.collection = c.collection AND o.state = 'active' AND o.model_version <> v.model_version;
    IF FOUND THEN
        RETURN QUERY EXECUTE format($q$
            SELECT t.chunk_id::text, false FROM pgvec_leaves.%1$I t
             WHERE NOT EXISTS (SELECT FROM pgvec_leaves.%2$I s WHERE s.chunk_id = t.chunk_id)
               AND NOT EXISTS (SELECT FROM pgvec.tombstone d WHERE d.collection = %3$L AND d.chunk_id = t.chunk_id::text AND d.turn >= t.turn)
               AND NOT EXISTS (SELECT FROM pgvec.work_item w WHERE w.collection = %3$L AND w.model_version = %4$L AND w.lo = t.chunk_id::text AND w.hi = w.lo)
               AND NOT EXISTS (SELECT FROM pgvec.work_item w WHERE w.collection = %3$L AND w.model_version = %4$L AND w.lo <> w.hi AND t.chunk_id BETWEEN w.lo::%5$s AND w.hi::%5$s)
        $q$, v.leaf, active.leaf, c.collection, active.model_version, c.id_type);
    END IF;
END
$$;
