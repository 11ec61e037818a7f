-- Settles copies that were put into a version of chunks of the active version; see pgvec.settle_copies.
-- Returns those that the active version does not hold and nobody deleted: they are news.
CREATE OR REPLACE FUNCTION pgvec.settle_fill(c pgvec.collection, active pgvec.model_version,
                                             filled pgvec.model_version, chunk_ids text[])
RETURNS text[] LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    news text[];
BEGIN
    IF chunk_ids = '{}' THEN
        RETURN '{}';
    END IF;
    PERFORM pgvec.adopt_turns(c, active, filled, chunk_ids);
    PERFORM pgvec.put_behind(c, active, filled, chunk_ids);
    IF EXISTS (SELECT FROM pgvec.tombstone d WHERE d.collection = c.collection) THEN
        PERFORM pgvec.drop_late_copies(c, active, filled, chunk_ids);
    END IF;
    EXECUTE format($q$
        SELECT coalesce(array_agg(f.chunk_id::text), '{}') FROM pgvec_leaves.%I f
         WHERE f.chunk_id = ANY ($1::%s[])
           AND NOT EXISTS (SELECT FROM pgvec_leaves.%I a WHERE a.chunk_id = f.chunk_id)
    $q$, filled.leaf, c.id_type, active.leaf) INTO news USING chunk_ids;
    RETURN news;
END
$$;
