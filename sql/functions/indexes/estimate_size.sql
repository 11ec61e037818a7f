-- Estimates what a version of these dimensions will take, from what the active version holds, before anything is
-- started. All figures are 0 without an active version.
-- Arguments:
--   m  the option of the HNSW index
-- Shape: one row. Units: bytes.
--   chunks       the planner's estimate, or a count where the leaf was never analyzed
--   leaf_bytes   its rows, with their primary key and the host's own indexes
--   index_bytes  its HNSW index: as many elements a page as fit
--   graph_bytes  the memory that the build needs; with less maintenance_work_mem it takes several times as long
-- Raises: PV001 (no such collection), PV007 (dimensions or m).
-- Source: tests/sql/test_estimates.py compares it with real builds: the difference is less than a fifth.
CREATE OR REPLACE FUNCTION pgvec.estimate_size(collection text, dimensions integer, m integer DEFAULT 16)
RETURNS TABLE (chunks bigint, leaf_bytes bigint, index_bytes bigint, graph_bytes bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    active pgvec.model_version;
    leaf regclass;
    leaf_now bigint;
    bytes_a_number CONSTANT integer := CASE c.storage WHEN 'vector' THEN 4 ELSE 2 END;
    old_vector bigint;
    new_vector CONSTANT bigint := 8 + dimensions::bigint * bytes_a_number;
    -- The tuples of an element and of its neighbours (2·m on the ground layer, some on those above), with headers.
    element_bytes CONSTANT bigint := new_vector + 72 + 8 + 6 * (2 * m::bigint + m / 8) + 8 + 8;
    elements_a_page numeric;
BEGIN
    IF dimensions IS NULL OR dimensions NOT BETWEEN 1 AND 16000 OR m IS NULL OR m NOT BETWEEN 2 AND 100 THEN
        PERFORM pgvec.raise_error('PV007', 'dimensions are 1 to 16000, m is 2 to 100.',
            jsonb_build_object('dimensions', dimensions, 'm', m));
    END IF;
    chunks := 0;
    leaf_bytes := 0;
    index_bytes := 0;
    graph_bytes := 0;
    SELECT k.* INTO active FROM pgvec.model_version k WHERE k.collection = c.collection AND k.state = 'active';
    leaf := to_regclass('pgvec_leaves.' || quote_ident(active.leaf));
    IF leaf IS NOT NULL THEN
        chunks := (SELECT k.reltuples::bigint FROM pg_catalog.pg_class k WHERE k.oid = leaf);
        IF chunks <= 0 THEN
            EXECUTE format('SELECT count(*) FROM %s', leaf) INTO chunks;
        END IF;
        leaf_now := pg_table_size(leaf) + pg_indexes_size(leaf)
            - coalesce(pg_relation_size(to_regclass(format('pgvec_leaves.%I', active.leaf || '_hnsw'))), 0);
        old_vector := 8 + active.dimensions * bytes_a_number;
        -- What is longer than a quarter of a page goes into TOAST, whose pages do not fill up: a third more.
        leaf_bytes := greatest(leaf_now + chunks * (new_vector * CASE WHEN new_vector > 2000 THEN 4 ELSE 3 END
                                                    - old_vector * CASE WHEN old_vector > 2000 THEN 4 ELSE 3 END) / 3,
                               0);
        elements_a_page := greatest(floor(8150.0 / element_bytes), 1);
        index_bytes := 8192 * ceil(chunks / elements_a_page)::bigint;
        graph_bytes := chunks * (new_vector + 2 * m * 12 + 200) * 12 / 10;
    END IF;
    RETURN NEXT;
END
$$;
