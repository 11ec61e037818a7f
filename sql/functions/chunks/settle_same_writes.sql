-- An INSERT that brings another version's row as it is, with its text and its written_at, is that same write: it takes
-- that row's turn, and is not news. (An ordinary row has a written_at of its own.)
CREATE OR REPLACE FUNCTION pgvec.settle_same_writes(c pgvec.collection, written pgvec.version_chunks[])
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    w pgvec.version_chunks;
    s pgvec.model_version;
BEGIN
    FOREACH w IN ARRAY written LOOP
        FOR s IN SELECT k.* FROM pgvec.model_version k
                  WHERE k.collection = c.collection AND k.dropped_at IS NULL AND k.model_version <> w.model_version
                  ORDER BY k.model_version
        LOOP
            EXECUTE format('UPDATE pgvec_leaves.%I n SET turn = s.turn FROM pgvec_leaves.%I s '
                           'WHERE n.chunk_id = ANY ($1::%s[]) AND s.chunk_id = n.chunk_id AND s.content = n.content '
                           'AND s.written_at = n.written_at AND s.turn <> n.turn',
                           (pgvec.get_version(c.collection, w.model_version)).leaf, s.leaf, c.id_type) USING w.chunk_ids;
        END LOOP;
    END LOOP;
END
$$;
