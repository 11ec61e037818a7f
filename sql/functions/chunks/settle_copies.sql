-- What an INSERT put into versions that are being built, of chunks that the active version holds, is a copy and never
-- news, unless the writer says so (pgvec.news). So is, in a version that is ready, a row that brings the written_at of
-- an earlier write, or a turn that is not later than the active one's. With the active one's text the copy takes its
-- turn and its other columns. With another text it falls behind everything and a work item brings the right one. A copy
-- of what was deleted meanwhile goes. Returns what is left to be carried, as it was given.
CREATE OR REPLACE FUNCTION pgvec.settle_copies(c pgvec.collection, written pgvec.version_chunks[])
RETURNS pgvec.version_chunks[] LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    a pgvec.model_version;
    v pgvec.model_version;
    w pgvec.version_chunks;
    news pgvec.version_chunks[] := '{}';
    copies text[];
BEGIN
    SELECT k.* INTO a FROM pgvec.model_version k WHERE k.collection = c.collection AND k.state = 'active';
    IF NOT FOUND OR current_setting('pgvec.news', true) = 'on' THEN
        RETURN written;
    END IF;
    FOREACH w IN ARRAY written LOOP
        v := pgvec.get_version(c.collection, w.model_version);
        IF v.state IN ('building', 'ready') THEN
            copies := w.chunk_ids;
            IF v.state = 'ready' THEN
                EXECUTE format('SELECT coalesce(array_agg(t.chunk_id::text), ''{}'') FROM pgvec_leaves.%1$I t '
                               'LEFT JOIN pgvec_leaves.%3$I s ON s.chunk_id = t.chunk_id '
                               'WHERE t.chunk_id = ANY ($1::%2$s[]) '
                               'AND (t.written_at < statement_timestamp() OR t.turn <= s.turn)',
                               v.leaf, c.id_type, a.leaf)
                   INTO copies USING w.chunk_ids;
            END IF;
            w.chunk_ids := pgvec.settle_fill(c, a, v, copies)
                || ARRAY(SELECT u FROM unnest(w.chunk_ids) u WHERE u <> ALL (copies));
        END IF;
        IF w.chunk_ids <> '{}' THEN
            news := news || w;
        END IF;
    END LOOP;
    RETURN news;
END
$$;
