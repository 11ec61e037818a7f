-- Brings leaves and views up to date after the host changed the chunk table (columns, policies). It also creates our
-- triggers again where somebody dropped them.
-- Arguments:
--   without  host columns to take out of the views, which depend on them. Use it before you drop such a
--            column or change its type; then change the table and refresh again, all in one transaction
-- Raises: PV001, PV007 (not a host column), 2BP01 (a host's view shows the column), 55P03 (lock).
CREATE OR REPLACE FUNCTION pgvec.refresh_collection(collection text, without text[] DEFAULT '{}')
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    chunks regclass := pgvec.chunk_table(collection);
    v pgvec.model_version;
    foreign_column text;
BEGIN
    without := coalesce(without, '{}');
    SELECT w INTO foreign_column FROM unnest(without) w
     WHERE w IN ('chunk_id', 'model_version', 'document_id', 'position', 'content', 'metadata', 'embedding',
                 'written_at', 'turn')
        OR NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
                        WHERE a.attrelid = chunks AND a.attnum > 0 AND NOT a.attisdropped AND a.attname = w);
    IF FOUND THEN
        PERFORM pgvec.raise_error('PV007',
            format('%s has no column %L that is the host''s own.', collection, foreign_column),
            jsonb_build_object('collection', collection, 'column', foreign_column),
            'Name columns that were added to the chunk table.');
    END IF;
    PERFORM pgvec.lock_chunk_table(collection);
    PERFORM FROM pgvec.collection c WHERE c.collection = refresh_collection.collection FOR UPDATE;
    FOR v IN SELECT k.* FROM pgvec.model_version k
              WHERE k.collection = refresh_collection.collection AND k.dropped_at IS NULL
    LOOP
        IF EXISTS (SELECT FROM pgvec.dropped_triggers(collection, v.model_version)) THEN
            PERFORM pgvec.create_chunk_triggers(pgvec.get_collection(collection));
            PERFORM pgvec.guard_leaf(v.leaf_relation);
        END IF;
        PERFORM pgvec.copy_policies(chunks, v.leaf);
        IF v.state IN ('ready', 'active', 'draining') THEN
            PERFORM pgvec.put_pinned_view(collection, v.model_version, without);
        END IF;
    END LOOP;
    PERFORM pgvec.put_routing_view(collection, without);
    PERFORM pgvec.apply_grants(collection);
    PERFORM pgvec.log_event(collection, NULL, 'refresh_collection', NULL, NULL,
        CASE WHEN without = '{}' THEN '{}' ELSE jsonb_build_object('without', without) END);
END
$$;
