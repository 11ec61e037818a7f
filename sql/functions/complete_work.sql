-- Writes what a worker made and deletes its items, in one transaction. The vectors stand in the
-- caller's temporary table pgvec_made (item_ids bigint[], chunk_id, content_hash bytea, embedding).
-- Promises: only items whose lease and revision are still the claimed ones, and whose lease has not
-- run out, are written and deleted; a vector is written only beside the very text it was made from; the later
-- written_at wins, and so does a later delete: a chunk that was deleted meanwhile does not come back (the source
-- row is locked FOR KEY SHARE, so that a delete waits and then finds the new row).
-- Shape: items completed, items fenced, rows written, rows deleted. Raises PV009 while an index that stands in the way
-- is built, PV007 (no pgvec_made), PV023, 42501 where row-level security would hide rows from the worker.
CREATE OR REPLACE FUNCTION pgvec.complete_work(collection text, source_version text, model_version text, items bigint[], revisions integer[], lease uuid)
RETURNS TABLE (completed bigint, fenced bigint, written bigint, deleted bigint) LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET row_security = off
-- By the index of either leaf: a hash join would read all of it for every claim.
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    s pgvec.model_version := pgvec.get_version(collection, source_version);
    t pgvec.model_version := pgvec.get_version(collection, model_version);
    leaf record;
    held bigint[];
    doomed text[];
    gone bigint;
    fields text[];
    source_fields text;
    later_delete text;
BEGIN
    IF t.dropped_at IS NOT NULL OR t.state IN ('retired', 'abandoned') THEN
        PERFORM pgvec.raise_error('PV023', format('version %s of %s is %s: nothing is written to it.', t.model_version, t.collection, t.state),
            jsonb_build_object('collection', collection, 'model_version', model_version, 'state', t.state));
    END IF;
    IF to_regclass('pg_temp.pgvec_made') IS NULL THEN
        PERFORM pgvec.raise_error('PV007', 'complete_work: this session has no temporary table pgvec_made with what was made.');
    END IF;
    PERFORM pgvec.share_leaf(collection, model_version);
    -- Locks in a writer's order: rows of the source, work items, rows of the target.
    EXECUTE format('SELECT FROM pgvec_leaves.%I s JOIN pg_temp.pgvec_made m ON m.chunk_id = s.chunk_id ORDER BY s.chunk_id FOR KEY SHARE OF s', s.leaf);
    SELECT coalesce(array_agg(k.item_id), '{}') INTO held
      FROM (SELECT w.item_id FROM pgvec.work_item w JOIN unnest(items, revisions) u(item_id, revision) ON u.item_id = w.item_id AND u.revision = w.revision
             WHERE w.lease = complete_work.lease AND w.leased_until > clock_timestamp() ORDER BY w.item_id FOR UPDATE OF w) k;
    completed := cardinality(held);
    fenced := cardinality(items) - completed;
    written := 0;
    deleted := 0;
    IF completed = 0 THEN
        RETURN NEXT;
        RETURN;
    END IF;
    fields := pgvec.column_list(pgvec.chunk_table(collection), carried_only => true) || '{written_at}'::text[];
    source_fields := (SELECT string_agg('s.' || f, ', ') FROM unnest(fields) f);
    later_delete := format('EXISTS (SELECT FROM pgvec.tombstone d WHERE d.collection = %L AND d.chunk_id = s.chunk_id::text AND d.deleted_at >= s.written_at)', c.collection);
    PERFORM set_config('pgvec.carrying', 'on', true);

    -- Texts that the target has already, with later other columns.
    EXECUTE format($q$
        UPDATE pgvec_leaves.%2$I t SET (%4$s) = ROW(%5$s)
          -- An index scan an item: joined plainly, the planner reads all of the leaf for every claim.
          FROM pgvec.work_item w CROSS JOIN LATERAL (SELECT k.* FROM pgvec_leaves.%1$I k WHERE k.chunk_id BETWEEN w.lo::%3$s AND w.hi::%3$s OFFSET 0) s
         WHERE w.item_id = ANY ($1) AND t.chunk_id = s.chunk_id AND t.content = s.content AND s.written_at > t.written_at
    $q$, s.leaf, t.leaf, c.id_type, array_to_string(fields, ', '), source_fields) USING held;
    -- Rows that a later delete did not see, in every leaf: who copies from one of them at this moment, worker or fill by
    -- hand, holds it FOR KEY SHARE, so that we wait for the copy. The target comes once more at the end: there it is then.
    IF EXISTS (SELECT FROM pgvec.tombstone d WHERE d.collection = c.collection) THEN
        FOR leaf IN
            SELECT o.model_version, o.leaf AS name FROM pgvec.model_version o, generate_series(1, 2) turn
             WHERE o.collection = c.collection AND o.dropped_at IS NULL AND (turn = 1 OR o.model_version = t.model_version) ORDER BY turn, o.model_version
        LOOP
            EXECUTE format('SELECT array_agg(DISTINCT s.chunk_id::text) FROM pgvec.work_item w '
                           'CROSS JOIN LATERAL (SELECT k.chunk_id, k.written_at FROM pgvec_leaves.%1$I k WHERE k.chunk_id BETWEEN w.lo::%2$s AND w.hi::%2$s OFFSET 0) s '
                           'WHERE w.item_id = ANY ($1) AND %3$s', leaf.name, c.id_type, later_delete) INTO doomed USING held;
            CONTINUE WHEN doomed IS NULL;
            PERFORM pgvec.share_leaf(collection, leaf.model_version);
            EXECUTE format('DELETE FROM pgvec_leaves.%I s WHERE s.chunk_id = ANY ($1::%s[]) AND %s', leaf.name, c.id_type, later_delete) USING doomed;
            GET DIAGNOSTICS gone = ROW_COUNT;
            deleted := deleted + gone;
        END LOOP;
    END IF;
    -- New texts.
    EXECUTE format($q$
        INSERT INTO pgvec_leaves.%2$I AS t (chunk_id, model_version, content, embedding, %4$s)
        SELECT s.chunk_id, %3$L, s.content, m.embedding, %5$s
          FROM pg_temp.pgvec_made m JOIN pgvec_leaves.%1$I s ON s.chunk_id = m.chunk_id AND sha256(convert_to(s.content, 'UTF8')) = m.content_hash
         WHERE m.item_ids && $1 AND NOT %7$s ORDER BY s.chunk_id FOR KEY SHARE OF s
        ON CONFLICT (chunk_id, model_version) DO UPDATE SET (content, embedding, %4$s) = ROW(excluded.content, excluded.embedding, %6$s)
         WHERE (excluded.written_at, excluded.content) > (t.written_at, t.content)
    $q$, s.leaf, t.leaf, t.model_version, array_to_string(fields, ', '), source_fields, (SELECT string_agg('excluded.' || f, ', ') FROM unnest(fields) f), later_delete) USING held;
    GET DIAGNOSTICS written = ROW_COUNT;
    -- A chunk that the target held when the texts were read, and does not now: its item is taken once more.
    EXECUTE format($q$
        WITH again AS (
            UPDATE pgvec.work_item w SET revision = w.revision + 1, lease = NULL, leased_until = NULL, attempts = greatest(w.attempts - 1, 0)
              FROM pgvec_leaves.%1$I s
             WHERE w.item_id = ANY ($1) AND w.lo = w.hi AND s.chunk_id = w.lo::%3$s AND NOT %4$s
               AND NOT EXISTS (SELECT FROM pgvec_leaves.%2$I t WHERE t.chunk_id = s.chunk_id AND (t.content = s.content OR (t.written_at, t.content) > (s.written_at, s.content)))
            RETURNING w.item_id)
        SELECT coalesce(array_agg(h.item_id), '{}') FROM unnest($1) h(item_id) WHERE h.item_id NOT IN (SELECT a.item_id FROM again a)
    $q$, s.leaf, t.leaf, c.id_type, later_delete) INTO held USING held;
    completed := cardinality(held);
    PERFORM set_config('pgvec.carrying', '', true);
    DELETE FROM pgvec.work_item w WHERE w.item_id = ANY (held);
    RETURN NEXT;
END
$$;
