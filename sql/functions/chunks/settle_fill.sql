-- Settles copies that were put into version v of chunks of the active version a; see pgvec.settle_copies.
-- Returns those that a does not hold, and nobody deleted: they are news.
CREATE OR REPLACE FUNCTION pgvec.settle_fill(c pgvec.collection, a pgvec.model_version, v pgvec.model_version,
                                             chunk_ids text[])
RETURNS text[] LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    news text[];
BEGIN
    IF chunk_ids = '{}' THEN
        RETURN '{}';
    END IF;
    PERFORM pgvec.adopt_turns(c, a, v, chunk_ids);
    PERFORM pgvec.put_behind(c, a, v, chunk_ids);
    IF EXISTS (SELECT FROM pgvec.tombstone d WHERE d.collection = c.collection) THEN
        PERFORM pgvec.drop_late_copies(c, a, v, chunk_ids);
    END IF;
    EXECUTE format('SELECT coalesce(array_agg(t.chunk_id::text), ''{}'') FROM pgvec_leaves.%I t WHERE t.chunk_id = ANY ($1::%s[]) '
                   'AND NOT EXISTS (SELECT FROM pgvec_leaves.%I s WHERE s.chunk_id = t.chunk_id)', v.leaf, c.id_type, a.leaf)
       INTO news USING chunk_ids;
    RETURN news;
END
$$;
