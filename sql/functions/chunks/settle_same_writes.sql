-- Treats an INSERT of another version's row as it is, with its text and its written_at, as that same write: the new row
-- takes that row's turn, and is not news. (An ordinary row has a written_at of its own.)
CREATE OR REPLACE FUNCTION pgvec.settle_same_writes(c pgvec.collection, written pgvec.version_chunks[])
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    change pgvec.version_chunks;
    written_leaf text;
    other_leaf text;
BEGIN
    FOREACH change IN ARRAY written LOOP
        FOR other_leaf IN SELECT v.leaf FROM pgvec.model_version v
                           WHERE v.collection = c.collection AND v.dropped_at IS NULL
                             AND v.model_version <> change.model_version
                           ORDER BY v.model_version
        LOOP
            written_leaf := (pgvec.get_version(c.collection, change.model_version)).leaf;
            EXECUTE format($q$
                UPDATE pgvec_leaves.%I n SET turn = o.turn FROM pgvec_leaves.%I o
                 WHERE n.chunk_id = ANY ($1::%s[]) AND o.chunk_id = n.chunk_id AND o.content = n.content
                   AND o.written_at = n.written_at AND o.turn <> n.turn
            $q$, written_leaf, other_leaf, c.id_type) USING change.chunk_ids;
        END LOOP;
    END LOOP;
END
$$;
