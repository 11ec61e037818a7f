-- Gives rows of a version a new turn, after everything that was written before this moment. With only_deleted: only
-- those that a delete with a later turn would take away; what is put again while it is deleted was put later.
CREATE OR REPLACE FUNCTION pgvec.restamp(c pgvec.collection, model_version text, chunk_ids text[], only_deleted boolean)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF only_deleted AND NOT EXISTS (SELECT FROM pgvec.tombstone d WHERE d.collection = c.collection) THEN
        RETURN;
    END IF;
    EXECUTE format($q$
        UPDATE pgvec_leaves.%1$I t SET turn = nextval('pgvec.turn')
         WHERE t.chunk_id = ANY ($1::%2$s[])
           AND (NOT $2 OR EXISTS (SELECT FROM pgvec.tombstone d
                                   WHERE d.collection = $3 AND d.chunk_id = t.chunk_id::text AND d.turn >= t.turn))
    $q$, (pgvec.get_version(c.collection, model_version)).leaf, c.id_type) USING chunk_ids, only_deleted, c.collection;
END
$$;
