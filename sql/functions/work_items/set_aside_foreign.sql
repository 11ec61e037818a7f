-- For claimed items: sets a chunk aside whose rows in source and target belong to different owners (pgvec.owner_of). It
-- is not carried, because no policy says whose it is, and blocks ready until you delete one of the two rows.
CREATE OR REPLACE FUNCTION pgvec.set_aside_foreign(c pgvec.collection, source pgvec.model_version,
                                                   target pgvec.model_version, items bigint[])
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    source_owner CONSTANT text := pgvec.owner_of(c.chunk_table, 'source');
    target_owner CONSTANT text := pgvec.owner_of(c.chunk_table, 'target');
    stuck text[];
BEGIN
    IF pgvec.policy_columns(c.chunk_table) = '{}' THEN
        RETURN;
    END IF;
    EXECUTE format($query$
        SELECT array_agg(DISTINCT source.chunk_id::text)
          FROM pgvec.work_item w
         CROSS JOIN LATERAL (SELECT k.* FROM pgvec_leaves.%1$I k
                              WHERE k.chunk_id BETWEEN w.lo::%3$s AND w.hi::%3$s OFFSET 0) source
          JOIN pgvec_leaves.%2$I target ON target.chunk_id = source.chunk_id
         WHERE w.item_id = ANY ($1) AND %4$s IS DISTINCT FROM %5$s AND w.owner IN (%5$s, '"any"') IS NOT TRUE
           -- Unless a change of owner is on its way in the other direction.
           AND NOT EXISTS (SELECT FROM pgvec.work_item back
                            WHERE back.collection = $2 AND back.source_version = $4 AND back.model_version = $3
                              AND back.lo = source.chunk_id::text AND back.hi = back.lo
                              AND back.owner IN (%4$s, '"any"'))
    $query$, source.leaf, target.leaf, c.id_type, source_owner, target_owner)
    INTO stuck USING items, c.collection, source.model_version, target.model_version;
    IF stuck IS NULL THEN
        RETURN;
    END IF;
    PERFORM pgvec.open_items(c.collection, source.model_version, target.model_version, stuck);
    UPDATE pgvec.work_item w
       SET set_aside_at = clock_timestamp(),
           last_error = format('its rows in %s and %s belong to different owners: delete one of them.',
                               source.model_version, target.model_version)
     WHERE w.collection = c.collection AND w.source_version = source.model_version
       AND w.model_version = target.model_version AND w.lo = w.hi AND w.lo = ANY (stuck);
    PERFORM pgvec.log_event(c.collection, target.model_version, 'set_aside', NULL, NULL,
        jsonb_build_object('source_version', source.model_version, 'owners', 'different',
                           'chunks', cardinality(stuck)));
END
$$;
