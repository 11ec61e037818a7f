-- For fail_work: replaces an interval by its two halves, or deletes it when it has no chunks any more.
-- Arguments:
--   attempts  how many tries the halves have behind them: one less than allowed, so that a half that fails is halved at
--             once
-- Returns whether there are halves.
CREATE OR REPLACE FUNCTION pgvec.halve_item(item pgvec.work_item, source_leaf text, attempts integer, error text)
RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(item.collection);
    ids text[];
    middle integer;
BEGIN
    EXECUTE format($query$
        SELECT array_agg(source.chunk_id::text ORDER BY source.chunk_id)
          FROM pgvec_leaves.%1$I source
         WHERE source.chunk_id BETWEEN $1::%2$s AND $2::%2$s
    $query$, source_leaf, c.id_type) INTO ids USING item.lo, item.hi;
    DELETE FROM pgvec.work_item w WHERE w.item_id = item.item_id;
    IF ids IS NULL THEN
        RETURN false;
    END IF;
    middle := greatest(cardinality(ids) / 2, 1);
    INSERT INTO pgvec.work_item (collection, source_version, model_version, lo, hi, attempts, last_error)
    SELECT item.collection, item.source_version, item.model_version, half.lo, half.hi, halve_item.attempts, error
      FROM (VALUES (ids[1], ids[middle]), (ids[middle + 1], ids[cardinality(ids)])) half (lo, hi)
     WHERE half.lo IS NOT NULL
    ON CONFLICT ON CONSTRAINT work_item_collection_model_version_source_version_lo_hi_key DO NOTHING;
    RETURN true;
END
$$;
