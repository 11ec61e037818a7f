-- Writes the vectors made for claimed items and closes the items, in one transaction. It closes only items whose lease
-- and revision are still the claimed ones and whose lease has not run out, and writes only chunks of these items. It
-- writes a vector only where the source still holds the text that the vector was made from. The later turn wins, and a
-- later delete wins too: a chunk that was deleted meanwhile does not come back.
-- Arguments:
--   lease, items, revisions                what claim_work returned
--   chunk_ids, content_hashes, embeddings  what was made, place by place; a hash is the SHA-256 of the text
-- Shape: items completed, items fenced, rows written, rows deleted.
-- Raises: PV007 (chunk_ids), PV015 (embeddings), PV009 (an index that stands in the way is being built), 42501
-- (row-level security would hide rows from the owner).
-- SECURITY DEFINER: a worker needs no privilege on the leaves or on the queue. The lease is its right to these items.
-- Why the source rows are locked FOR KEY SHARE: a delete then waits, and finds the new row in the target.
-- Why no hash or merge join: it would read all of a leaf for every claim.
CREATE OR REPLACE FUNCTION pgvec.complete_lease(lease uuid, items bigint[], revisions integer[], chunk_ids text[],
                                                content_hashes bytea[], embeddings vector[])
RETURNS TABLE (completed bigint, fenced bigint, written bigint, deleted bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    c pgvec.collection;
    source pgvec.model_version;
    target pgvec.model_version;
    first_item pgvec.work_item;
    held bigint[];
BEGIN
    completed := 0;
    fenced := cardinality(items);
    written := 0;
    deleted := 0;
    SELECT w.* INTO first_item FROM pgvec.work_item w
     WHERE w.lease = complete_lease.lease AND w.item_id = ANY (items) LIMIT 1;
    IF NOT FOUND THEN
        RETURN NEXT;
        RETURN;
    END IF;
    c := pgvec.get_collection(first_item.collection);
    source := pgvec.get_version(c.collection, first_item.source_version);
    target := pgvec.get_version(c.collection, first_item.model_version);
    PERFORM pgvec.check_ids(c.id_type, chunk_ids);
    PERFORM pgvec.check_vectors(c, target, chunk_ids, embeddings);
    PERFORM pgvec.share_leaf(c.collection, target.model_version);
    -- Locks in the order of a writer: rows of the source, work items, rows of the target.
    EXECUTE format($query$
        SELECT FROM unnest($1::%2$s[]) m (chunk_id) JOIN pgvec_leaves.%1$I source ON source.chunk_id = m.chunk_id
         ORDER BY source.chunk_id FOR KEY SHARE OF source
    $query$, source.leaf, c.id_type) USING chunk_ids;
    held := pgvec.lock_items(lease, items, revisions, source.model_version, target.model_version);
    fenced := fenced - cardinality(held);
    IF held <> '{}' THEN
        PERFORM pgvec.carry_columns(c, source, target, held);
        deleted := pgvec.delete_buried(c, target, held);
        written := pgvec.write_vectors(c, source, target, held, chunk_ids, content_hashes, embeddings);
        PERFORM pgvec.set_aside_foreign(c, source, target, held);
        held := pgvec.done_items(c, source, target, held);
        DELETE FROM pgvec.work_item w WHERE w.item_id = ANY (held);
    END IF;
    completed := cardinality(held);
    RETURN NEXT;
END
$$;
