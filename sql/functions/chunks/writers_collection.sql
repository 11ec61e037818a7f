-- The collection that a trigger of follow_writes belongs to. It runs with its owner's privileges: whoever may call it
-- must not make it work for a table of his own. With an old snapshot it also holds the collection's row: registration
-- raises the epoch, so a snapshot that would miss the new version fails here.
-- Raises PV001, PV007 (another table), 40001.
CREATE OR REPLACE FUNCTION pgvec.writers_collection(written regclass, collection text, stale_reader boolean)
RETURNS pgvec.collection LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c CONSTANT pgvec.collection := pgvec.get_collection(collection);
BEGIN
    IF written <> pgvec.chunk_table(collection) THEN
        PERFORM pgvec.raise_error('PV007', format('%s is not the chunk table of %s.', written, collection),
            jsonb_build_object('collection', collection), 'Drop this trigger.');
    END IF;
    IF stale_reader THEN
        PERFORM FROM pgvec.collection k WHERE k.collection = c.collection FOR SHARE;
    END IF;
    RETURN c;
END
$$;
