-- For claimed items: a chunk whose rows in source and target belong to different owners is not carried, because no
-- policy says whose it is. Its item is set aside and blocks ready, until an operator has deleted one of the rows.
CREATE OR REPLACE FUNCTION pgvec.set_aside_foreign(c pgvec.collection, s pgvec.model_version, t pgvec.model_version,
                                                   items bigint[])
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    chunks CONSTANT regclass := c.chunk_table;
    stuck text[];
BEGIN
    IF pgvec.policy_columns(chunks) = '{}' THEN
        RETURN;
    END IF;
    EXECUTE format($q$
        SELECT array_agg(DISTINCT s.chunk_id::text) FROM pgvec.work_item w CROSS JOIN LATERAL (
            SELECT k.* FROM pgvec_leaves.%1$I k WHERE k.chunk_id BETWEEN w.lo::%3$s AND w.hi::%3$s OFFSET 0) s
          JOIN pgvec_leaves.%2$I t ON t.chunk_id = s.chunk_id
         WHERE w.item_id = ANY ($1) AND %4$s IS DISTINCT FROM %5$s AND w.owner IN (%5$s, '"any"') IS NOT TRUE
           -- A change of owner that is on its way in the other direction.
           AND NOT EXISTS (SELECT FROM pgvec.work_item b
                            WHERE b.collection = $2 AND b.source_version = $4 AND b.model_version = $3
                              AND b.lo = s.chunk_id::text AND b.hi = b.lo AND b.owner IN (%4$s, '"any"'))
    $q$, s.leaf, t.leaf, c.id_type, pgvec.owner_of(chunks, 's'), pgvec.owner_of(chunks, 't'))
    INTO stuck USING items, c.collection, s.model_version, t.model_version;
    IF stuck IS NULL THEN
        RETURN;
    END IF;
    PERFORM pgvec.open_items(c.collection, s.model_version, t.model_version, stuck);
    UPDATE pgvec.work_item w
       SET set_aside_at = clock_timestamp(),
           last_error = format('its rows in %s and %s belong to different owners: delete one of them.', s.model_version, t.model_version)
     WHERE w.collection = c.collection AND w.source_version = s.model_version AND w.model_version = t.model_version
       AND w.lo = w.hi AND w.lo = ANY (stuck);
    PERFORM pgvec.log_event(c.collection, t.model_version, 'set_aside', NULL, NULL,
        jsonb_build_object('source_version', s.model_version, 'owners', 'different', 'chunks', cardinality(stuck)));
END
$$;
