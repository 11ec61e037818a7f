-- Decides which inserted rows are news, and what they are later than; see pgvec.settle_copies and
-- pgvec.settle_same_writes. A chunk that is inserted again after, or while, it was deleted is later than the delete. A
-- snapshot may not show the delete that the insert waited for, so there every row takes a new turn, or fails with
-- 40001.
-- Returns the changes to carry.
-- Arguments:
--   dated  some row has a written_at from before the statement: only such a row can be the same write as another
--          version's
-- Raises: 40001.
CREATE OR REPLACE FUNCTION pgvec.settle_inserts(c pgvec.collection, written pgvec.version_chunks[],
                                                stale_reader boolean, dated boolean)
RETURNS pgvec.version_chunks[] LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    change pgvec.version_chunks;
BEGIN
    IF dated THEN
        PERFORM pgvec.settle_same_writes(c, written);
    END IF;
    written := pgvec.settle_copies(c, written);
    FOREACH change IN ARRAY written LOOP
        PERFORM pgvec.restamp(c, change.model_version, change.chunk_ids, only_deleted => NOT stale_reader);
    END LOOP;
    RETURN written;
END
$$;
