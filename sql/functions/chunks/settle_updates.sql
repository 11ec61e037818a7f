-- Gives updated rows that must be ahead a new turn: late ones, and rows whose new id was deleted while they waited for
-- it.
CREATE OR REPLACE FUNCTION pgvec.settle_updates(c pgvec.collection, written pgvec.version_chunks[],
                                                late pgvec.version_chunks[], ids_changed boolean)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    change pgvec.version_chunks;
BEGIN
    FOREACH change IN ARRAY late LOOP
        PERFORM pgvec.restamp(c, change.model_version, change.chunk_ids, only_deleted => false);
    END LOOP;
    IF ids_changed THEN
        FOREACH change IN ARRAY written LOOP
            PERFORM pgvec.restamp(c, change.model_version, change.chunk_ids, only_deleted => true);
        END LOOP;
    END IF;
END
$$;
