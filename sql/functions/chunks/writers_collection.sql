-- Returns the collection that a trigger of pgvec.follow_writes belongs to. In a transaction with an old snapshot it
-- also locks the collection's row: registration raises the epoch, so a snapshot that would miss the new version fails
-- here.
-- Raises: PV001, PV007 (another table), 40001.
-- Why it checks the table: the trigger runs with its owner's privileges, and nobody may use it for a table of their
-- own.
CREATE OR REPLACE FUNCTION pgvec.writers_collection(written regclass, collection text, stale_reader boolean)
RETURNS pgvec.collection LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c CONSTANT pgvec.collection := pgvec.get_collection(collection);
BEGIN
    IF written <> pgvec.chunk_table(collection)
       AND NOT EXISTS (SELECT FROM pgvec.adoption a WHERE a.collection = c.collection AND a.intake = written) THEN
        PERFORM pgvec.raise_error('PV007', format('%s is not the chunk table of %s.', written, collection),
            jsonb_build_object('collection', collection), 'Drop this trigger.');
    END IF;
    IF stale_reader THEN
        PERFORM FROM pgvec.collection k WHERE k.collection = c.collection FOR SHARE;
    END IF;
    RETURN c;
END
$$;
