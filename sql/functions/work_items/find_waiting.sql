-- What waiting_changes does, behind the writers' door of the collection: only the owner can call it.
-- Arguments:
--   chunks  an object of chunk_id to turn
-- Shape: an array of ids.
-- Raises: PV001 (no such collection), PV002 (no such version).
CREATE OR REPLACE FUNCTION pgvec.find_waiting(collection text, model_version text, chunks jsonb)
RETURNS jsonb LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    found_ids text[];
    known jsonb;
BEGIN
    IF jsonb_typeof(chunks) IS DISTINCT FROM 'object' THEN
        RETURN '[]';
    END IF;
    SELECT array_agg(DISTINCT w.lo) INTO found_ids FROM pgvec.work_item w
     WHERE w.collection = c.collection AND w.model_version = v.model_version AND w.lo = w.hi AND chunks ? w.lo;
    IF found_ids IS NULL THEN
        RETURN '[]';
    END IF;
    EXECUTE format($query$
        SELECT coalesce(jsonb_agg(t.chunk_id::text), '[]')
          FROM pgvec_leaves.%1$I t
         WHERE t.chunk_id = ANY ($1::%2$s[]) AND to_jsonb(t.turn) = $2 -> t.chunk_id::text
    $query$, v.leaf, c.id_type) INTO known USING found_ids, chunks;
    RETURN known;
END
$$;
