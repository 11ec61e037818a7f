-- Lists the chunks that a version holds and should not: chunks that were deleted later than they were written, and
-- chunks that the active version does not hold while no work item is going to bring them there.
-- Shape: one row a chunk; deleted says which of the two it is.
-- Raises: PV001 (no such collection), PV002 (no such version), 42501 (row-level security would hide rows).
CREATE OR REPLACE FUNCTION pgvec.surplus_chunks(collection text, model_version text)
RETURNS TABLE (chunk_id text, deleted boolean) LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    active pgvec.model_version;
BEGIN
    RETURN QUERY EXECUTE format($query$
        SELECT DISTINCT held.chunk_id::text, true
          FROM pgvec_leaves.%1$I held
          JOIN pgvec.tombstone d
            ON d.collection = $1 AND d.chunk_id = held.chunk_id::text AND d.turn >= held.turn
    $query$, v.leaf) USING c.collection;
    SELECT k.* INTO active FROM pgvec.model_version k
     WHERE k.collection = c.collection AND k.state = 'active' AND k.model_version <> v.model_version;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    RETURN QUERY EXECUTE format($query$
        SELECT held.chunk_id::text, false
          FROM pgvec_leaves.%1$I held
         WHERE NOT EXISTS (SELECT FROM pgvec_leaves.%2$I shown WHERE shown.chunk_id = held.chunk_id)
           AND NOT EXISTS (SELECT FROM pgvec.tombstone d
                            WHERE d.collection = $1 AND d.chunk_id = held.chunk_id::text AND d.turn >= held.turn)
           AND NOT EXISTS (SELECT FROM pgvec.work_item w
                            WHERE w.collection = $1 AND w.model_version = $2
                              AND w.lo = held.chunk_id::text AND w.hi = w.lo)
           AND NOT EXISTS (SELECT FROM pgvec.work_item w
                            WHERE w.collection = $1 AND w.model_version = $2 AND w.lo <> w.hi
                              AND held.chunk_id BETWEEN w.lo::%3$s AND w.hi::%3$s)
    $query$, v.leaf, active.leaf, c.id_type) USING c.collection, active.model_version;
END
$$;
