-- Copies in version v of texts that version a does not hold any more: they fall behind everything, and a work item
-- brings a's text. An item that is open already is enough, and locking it would make those wait who edit the chunk.
CREATE OR REPLACE FUNCTION pgvec.put_behind(c pgvec.collection, a pgvec.model_version, v pgvec.model_version,
                                            chunk_ids text[])
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format($q$
        WITH stale AS (
            UPDATE pgvec_leaves.%1$I t SET turn = least(t.turn, 0) - 1
              FROM pgvec_leaves.%2$I s
             WHERE t.chunk_id = ANY ($1::%3$s[]) AND s.chunk_id = t.chunk_id AND s.content <> t.content
            RETURNING t.chunk_id::text COLLATE "C" AS chunk_id)
        INSERT INTO pgvec.work_item (collection, source_version, model_version, lo, hi)
        SELECT $2, $3, $4, k.chunk_id, k.chunk_id FROM stale k ORDER BY k.chunk_id
        ON CONFLICT (collection, model_version, source_version, lo, hi) DO NOTHING
    $q$, v.leaf, a.leaf, c.id_type) USING chunk_ids, c.collection, a.model_version, v.model_version;
END
$$;
