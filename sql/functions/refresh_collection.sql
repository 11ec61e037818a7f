-- After the host changed the chunk table (columns, policies): brings leaves and views up to it.
-- Raises PV001, 55P03 (lock).
CREATE OR REPLACE FUNCTION pgvec.refresh_collection(collection text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    chunks regclass := pgvec.chunk_table(collection);
    v pgvec.model_version;
BEGIN
    PERFORM pgvec.lock_chunk_table(collection);
    PERFORM FROM pgvec.collection c WHERE c.collection = refresh_collection.collection FOR UPDATE;
    FOR v IN SELECT k.* FROM pgvec.model_version k WHERE k.collection = refresh_collection.collection AND k.dropped_at IS NULL LOOP
        PERFORM pgvec.copy_policies(chunks, v.leaf);
        IF v.state IN ('ready', 'active', 'draining') THEN
            PERFORM pgvec.put_pinned_view(collection, v.model_version);
        END IF;
    END LOOP;
    PERFORM pgvec.put_routing_view(collection);
    PERFORM pgvec.apply_grants(collection);
    PERFORM pgvec.log_event(collection, NULL, 'refresh_collection');
END
$$;
