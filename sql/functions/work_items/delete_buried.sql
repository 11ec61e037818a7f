-- For claimed items: takes away rows that a later delete did not see, in every leaf. Who copies from one of them at this
-- moment, worker or fill by hand, holds it FOR KEY SHARE, so that we wait for the copy. The target comes once more at
-- the end: there it is then. Returns how many rows. Raises PV009 while an index that stands in the way is built.
CREATE OR REPLACE FUNCTION pgvec.delete_buried(c pgvec.collection, t pgvec.model_version, items bigint[])
RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    leaf record;
    doomed text[];
    gone bigint;
    deleted bigint := 0;
    buried CONSTANT text := 'EXISTS (SELECT FROM pgvec.tombstone d WHERE d.collection = $2 AND d.chunk_id = s.chunk_id::text AND d.turn >= s.turn '
        'AND (d.owner IS NULL OR d.owner IS NOT DISTINCT FROM %3$s OR EXISTS (SELECT FROM pgvec.work_item w WHERE w.collection = $2 '
        'AND w.model_version = $3 AND w.lo = s.chunk_id::text AND w.hi = w.lo AND w.owner = %3$s)))';
    owner CONSTANT text := pgvec.owner_of(c.chunk_table, 's');
BEGIN
    IF NOT EXISTS (SELECT FROM pgvec.tombstone d WHERE d.collection = c.collection) THEN
        RETURN 0;
    END IF;
    FOR leaf IN
        SELECT o.model_version, o.leaf AS name FROM pgvec.model_version o, generate_series(1, 2) round
         WHERE o.collection = c.collection AND o.dropped_at IS NULL AND (round = 1 OR o.model_version = t.model_version)
         ORDER BY round, o.model_version
    LOOP
        EXECUTE format('SELECT array_agg(DISTINCT s.chunk_id::text) FROM pgvec.work_item w CROSS JOIN LATERAL '
                       '(SELECT k.* FROM pgvec_leaves.%1$I k WHERE k.chunk_id BETWEEN w.lo::%2$s AND w.hi::%2$s OFFSET 0) s '
                       'WHERE w.item_id = ANY ($1) AND ' || buried, leaf.name, c.id_type, owner)
           INTO doomed USING items, c.collection, leaf.model_version;
        CONTINUE WHEN doomed IS NULL;
        PERFORM pgvec.share_leaf(c.collection, leaf.model_version);
        EXECUTE format('DELETE FROM pgvec_leaves.%1$I s WHERE s.chunk_id = ANY ($1::%2$s[]) AND ' || buried, leaf.name, c.id_type, owner)
          USING doomed, c.collection, leaf.model_version;
        GET DIAGNOSTICS gone = ROW_COUNT;
        deleted := deleted + gone;
    END LOOP;
    RETURN deleted;
END
$$;
