-- Writes the vectors made for claimed items and closes the items, in one transaction.
--   lease, items, revisions  what claim_work gave: who knows the lease may complete it, nobody else can
--   chunk_ids, content_hashes, embeddings  what was made, place by place; the hash is the SHA-256 of the text
-- Promises: only items whose lease and revision are still the claimed ones, and whose lease has not run out, are closed,
-- and only chunks of theirs are written; a vector is written only beside the very text it was made from; the later turn
-- wins, and so does a later delete: a chunk that was deleted meanwhile does not come back (the source row is locked
-- FOR KEY SHARE, so that a delete waits and then finds the new row).
-- SECURITY DEFINER: a worker needs no privilege on the leaves or on the queue; the lease is what lets him in.
-- Shape: items completed, items fenced, rows written, rows deleted. Raises PV007 (ids), PV015 (vectors), PV009 while an index that stands in the way
-- is built, 42501 where row-level security would hide rows from the owner.
CREATE OR REPLACE FUNCTION pgvec.complete_lease(lease uuid, items bigint[], revisions integer[], chunk_ids text[],
                                                content_hashes bytea[], embeddings vector[])
RETURNS TABLE (completed bigint, fenced bigint, written bigint, deleted bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off
-- By the index of either leaf: a hash join would read all of it for every claim.
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    c pgvec.collection;
    s pgvec.model_version;
    t pgvec.model_version;
    first_item pgvec.work_item;
    held bigint[];
BEGIN
    completed := 0;
    fenced := cardinality(items);
    written := 0;
    deleted := 0;
    SELECT w.* INTO first_item FROM pgvec.work_item w WHERE w.lease = complete_lease.lease AND w.item_id = ANY (items) LIMIT 1;
    IF NOT FOUND THEN
        RETURN NEXT;
        RETURN;
    END IF;
    c := pgvec.get_collection(first_item.collection);
    s := pgvec.get_version(c.collection, first_item.source_version);
    t := pgvec.get_version(c.collection, first_item.model_version);
    PERFORM pgvec.check_ids(c.id_type, chunk_ids);
    PERFORM pgvec.check_vectors(c, t, chunk_ids, embeddings);
    PERFORM pgvec.share_leaf(c.collection, t.model_version);
    -- Locks in a writer's order: rows of the source, work items, rows of the target.
    EXECUTE format('SELECT FROM unnest($1::%2$s[]) m (chunk_id) JOIN pgvec_leaves.%1$I s ON s.chunk_id = m.chunk_id '
                   'ORDER BY s.chunk_id FOR KEY SHARE OF s', s.leaf, c.id_type) USING chunk_ids;
    SELECT coalesce(array_agg(k.item_id), '{}') INTO held
      FROM (SELECT w.item_id FROM pgvec.work_item w JOIN unnest(items, revisions) u(item_id, revision) ON u.item_id = w.item_id AND u.revision = w.revision
             WHERE w.lease = complete_lease.lease AND w.source_version = s.model_version AND w.model_version = t.model_version
               AND w.leased_until > clock_timestamp() ORDER BY w.item_id FOR UPDATE OF w) k;
    fenced := fenced - cardinality(held);
    IF held <> '{}' THEN
        PERFORM pgvec.carry_columns(c, s, t, held);
        deleted := pgvec.delete_buried(c, t, held);
        written := pgvec.write_vectors(c, s, t, held, chunk_ids, content_hashes, embeddings);
        PERFORM pgvec.set_aside_foreign(c, s, t, held);
        held := pgvec.done_items(c, s, t, held);
        DELETE FROM pgvec.work_item w WHERE w.item_id = ANY (held);
    END IF;
    completed := cardinality(held);
    RETURN NEXT;
END
$$;
