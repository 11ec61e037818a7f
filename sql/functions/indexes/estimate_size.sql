-- What a version of these dimensions will take, from what the active version holds, before anything is started.
--   leaf_bytes    its rows, with their primary key and the host's own indexes
--   index_bytes   its HNSW index: as many elements a page as fit
--   graph_bytes   the memory that its build needs; below it (maintenance_work_mem) a build slows down several times
-- chunks is the planner's guess, or a count where the leaf was never analyzed. Without an active version all are 0.
-- Measured against real builds in tests/sql/test_estimates.py: within a fifth. Shape: one row. Units: bytes. Raises PV001, PV007.
CREATE OR REPLACE FUNCTION pgvec.estimate_size(collection text, dimensions integer, m integer DEFAULT 16)
RETURNS TABLE (chunks bigint, leaf_bytes bigint, index_bytes bigint, graph_bytes bigint) LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    v pgvec.model_version;
    leaf regclass;
    heap bigint;
    old_bytes bigint;
    vector_bytes CONSTANT bigint := 8 + dimensions::bigint * CASE c.storage WHEN 'vector' THEN 4 ELSE 2 END;
    -- An element's tuple and its neighbours' (2·m on the ground layer, some on those above), with their headers.
    element_bytes CONSTANT bigint := vector_bytes + 72 + 8 + 6 * (2 * m::bigint + m / 8) + 8 + 8;
BEGIN
    IF dimensions IS NULL OR dimensions NOT BETWEEN 1 AND 16000 OR m IS NULL OR m NOT BETWEEN 2 AND 100 THEN
        PERFORM pgvec.raise_error('PV007', 'dimensions are 1 to 16000, m is 2 to 100.', jsonb_build_object('dimensions', dimensions, 'm', m));
    END IF;
    chunks := 0; leaf_bytes := 0; index_bytes := 0; graph_bytes := 0;
    SELECT k.* INTO v FROM pgvec.model_version k WHERE k.collection = c.collection AND k.state = 'active';
    leaf := to_regclass('pgvec_leaves.' || quote_ident(v.leaf));
    IF leaf IS NOT NULL THEN
        chunks := (SELECT k.reltuples::bigint FROM pg_catalog.pg_class k WHERE k.oid = leaf);
        IF chunks <= 0 THEN
            EXECUTE format('SELECT count(*) FROM %s', leaf) INTO chunks;
        END IF;
        heap := pg_table_size(leaf) + pg_indexes_size(leaf) - coalesce(pg_relation_size(to_regclass(format('pgvec_leaves.%I', v.leaf || '_hnsw'))), 0);
        old_bytes := 8 + v.dimensions * CASE c.storage WHEN 'vector' THEN 4 ELSE 2 END;
        -- What is longer than a quarter of a page goes into TOAST, whose pages do not fill up: a third more.
        leaf_bytes := greatest(heap + chunks * (vector_bytes * CASE WHEN vector_bytes > 2000 THEN 4 ELSE 3 END
                                                - old_bytes * CASE WHEN old_bytes > 2000 THEN 4 ELSE 3 END) / 3, 0);
        index_bytes := 8192 * ceil(chunks / greatest(floor(8150.0 / element_bytes), 1))::bigint;
        graph_bytes := chunks * (vector_bytes + 2 * m * 12 + 200) * 12 / 10;
    END IF;
    RETURN NEXT;
END
$$;
