-- Says of inserted rows which are news, and later than what; see pgvec.settle_copies and pgvec.settle_same_writes (only
-- rows with a written_at from before the statement can be such). What is put again after, or while, it was deleted is
-- later than the delete; a snapshot may not show the delete that an insert has waited for, so there every row takes a
-- new turn, or fails with 40001. Returns what is to be carried.
CREATE OR REPLACE FUNCTION pgvec.settle_inserts(c pgvec.collection, written pgvec.version_chunks[],
                                                stale_reader boolean, dated boolean)
RETURNS pgvec.version_chunks[] LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    w pgvec.version_chunks;
BEGIN
    IF dated THEN
        PERFORM pgvec.settle_same_writes(c, written);
    END IF;
    written := pgvec.settle_copies(c, written);
    FOREACH w IN ARRAY written LOOP
        PERFORM pgvec.restamp(c, w.model_version, w.chunk_ids, only_deleted => NOT stale_reader);
    END LOOP;
    RETURN written;
END
$$;
