-- For claimed items: deletes, in every leaf, rows that a later delete did not see.
-- Returns how many rows.
-- Raises: PV009 (an index that stands in the way is being built).
-- Why the target comes a second time, at the end: a worker, or a fill by hand, that is copying one of these rows holds
-- it FOR KEY SHARE, so that our DELETE waits for the copy. After that wait the copy is in the target.
CREATE OR REPLACE FUNCTION pgvec.delete_buried(c pgvec.collection, target pgvec.model_version, items bigint[])
RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    owner CONSTANT text := pgvec.owner_of(c.chunk_table, 'held');
    -- Deleted later than written, and by a session that was allowed to: the row that it deleted had the same owner, or
    -- an item says that it may change rows of this owner.
    buried CONSTANT text := format($query$
        EXISTS (SELECT FROM pgvec.tombstone d
                 WHERE d.collection = $2 AND d.chunk_id = held.chunk_id::text AND d.turn >= held.turn
                   AND (d.owner IS NULL OR d.owner IS NOT DISTINCT FROM %1$s
                        OR EXISTS (SELECT FROM pgvec.work_item w
                                    WHERE w.collection = $2 AND w.model_version = $3
                                      AND w.lo = held.chunk_id::text AND w.hi = w.lo AND w.owner = %1$s)))
    $query$, owner);
    version record;
    doomed text[];
    gone bigint;
    deleted bigint := 0;
BEGIN
    IF NOT EXISTS (SELECT FROM pgvec.tombstone d WHERE d.collection = c.collection) THEN
        RETURN 0;
    END IF;
    FOR version IN
        SELECT v.model_version, v.leaf
          FROM pgvec.model_version v CROSS JOIN generate_series(1, 2) round
         WHERE v.collection = c.collection AND v.dropped_at IS NULL
           AND (round = 1 OR v.model_version = target.model_version)
         ORDER BY round, v.model_version
    LOOP
        EXECUTE format($query$
            SELECT array_agg(DISTINCT held.chunk_id::text)
              FROM pgvec.work_item w
             CROSS JOIN LATERAL (SELECT k.* FROM pgvec_leaves.%1$I k
                                  WHERE k.chunk_id BETWEEN w.lo::%2$s AND w.hi::%2$s OFFSET 0) held
             WHERE w.item_id = ANY ($1) AND %3$s
        $query$, version.leaf, c.id_type, buried) INTO doomed USING items, c.collection, version.model_version;
        CONTINUE WHEN doomed IS NULL;
        PERFORM pgvec.share_leaf(c.collection, version.model_version);
        EXECUTE format($query$
            DELETE FROM pgvec_leaves.%1$I held WHERE held.chunk_id = ANY ($1::%2$s[]) AND %3$s
        $query$, version.leaf, c.id_type, buried) USING doomed, c.collection, version.model_version;
        GET DIAGNOSTICS gone = ROW_COUNT;
        deleted := deleted + gone;
    END LOOP;
    RETURN deleted;
END
$$;
