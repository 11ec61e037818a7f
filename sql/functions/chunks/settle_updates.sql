-- Brings updated rows ahead that must be ahead: late ones, and those whose new id was deleted while they waited for it.
CREATE OR REPLACE FUNCTION pgvec.settle_updates(c pgvec.collection, written pgvec.version_chunks[],
                                                late pgvec.version_chunks[], ids_changed boolean)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    w pgvec.version_chunks;
BEGIN
    FOREACH w IN ARRAY late LOOP
        PERFORM pgvec.restamp(c, w.model_version, w.chunk_ids, only_deleted => false);
    END LOOP;
    IF ids_changed THEN
        FOREACH w IN ARRAY written LOOP
            PERFORM pgvec.restamp(c, w.model_version, w.chunk_ids, only_deleted => true);
        END LOOP;
    END IF;
END
$$;
