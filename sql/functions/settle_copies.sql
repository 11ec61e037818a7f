-- What an INSERT put into versions that are being built, of chunks that the active version holds, is a copy and never
-- news, unless the writer says so (pgvec.news). With the active one's text the copy takes its turn and its other
-- columns. With another text it falls behind everything and a work item brings the right one. A copy of what was
-- deleted meanwhile goes: its row, or its transaction, is from before the delete.
-- Returns what is left to be carried, as it was given.
CREATE OR REPLACE FUNCTION pgvec.settle_copies(c pgvec.collection, written pgvec.version_chunks[])
RETURNS pgvec.version_chunks[] LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    a pgvec.model_version;
    v pgvec.model_version;
    w pgvec.version_chunks;
    news pgvec.version_chunks[] := '{}';
    left_over text[];
BEGIN
    SELECT k.* INTO a FROM pgvec.model_version k WHERE k.collection = c.collection AND k.state = 'active';
    IF NOT FOUND OR current_setting('pgvec.news', true) = 'on' THEN
        RETURN written;
    END IF;
    FOREACH w IN ARRAY written LOOP
        v := pgvec.get_version(c.collection, w.model_version);
        IF v.state = 'building' THEN
            PERFORM pgvec.adopt_turns(c, a, v, w.chunk_ids);
            PERFORM pgvec.put_behind(c, a, v, w.chunk_ids);
            IF EXISTS (SELECT FROM pgvec.tombstone d WHERE d.collection = c.collection) THEN
                PERFORM pgvec.drop_late_copies(c, a, v, w.chunk_ids);
            END IF;
            EXECUTE format('SELECT coalesce(array_agg(t.chunk_id::text), ''{}'') FROM pgvec_leaves.%I t '
                           'WHERE t.chunk_id = ANY ($1::%s[]) '
                           'AND NOT EXISTS (SELECT FROM pgvec_leaves.%I s WHERE s.chunk_id = t.chunk_id)',
                           v.leaf, c.id_type, a.leaf) INTO left_over USING w.chunk_ids;
            w.chunk_ids := left_over;
        END IF;
        IF w.chunk_ids <> '{}' THEN
            news := news || w;
        END IF;
    END LOOP;
    RETURN news;
END
$$;
