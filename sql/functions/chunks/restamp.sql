-- Gives rows of a version a new turn, later than everything that was written before.
-- Arguments:
--   only_deleted  only rows that a delete with a later turn would take away: a chunk that is inserted again while it is
--                 being deleted counts as inserted later
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
