-- Writes what a worker made and deletes its items, in one transaction. The vectors stand in the
-- caller's temporary table pgvec_made (item_ids bigint[], chunk_id, content_hash bytea, embedding).
-- Promises: only items whose lease and revision are still the claimed ones, and whose lease has not
-- run out, are written and deleted; a vector is written only beside the very text it was made from; a
-- chunk that was deleted meanwhile does not come back (the source row is locked FOR SHARE, so that a delete or
-- a change of its other columns waits and then finds the new row); the later written_at wins.
-- Shape: items completed, items fenced, rows written, rows deleted. Raises PV009 while the index is built,
-- 42501 where row-level security would hide rows from the worker.
CREATE OR REPLACE FUNCTION pgvec.complete_work(collection text, source_version text, model_version text, items bigint[], revisions integer[], lease uuid)
RETURNS TABLE (completed bigint, fenced bigint, written bigint, deleted bigint) LANGUAGE plpgsql SET row_security = off AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    s pgvec.model_version := pgvec.get_version(collection, source_version);
    t pgvec.model_version := pgvec.get_version(collection, model_version);
    held bigint[];
    fresh text[];
    fields text[];
BEGIN
    IF t.dropped_at IS NOT NULL OR t.state IN ('retired', 'abandoned') THEN
        PERFORM pgvec.raise_error('PV023', format('version %s of %s is %s: nothing is written to it.', t.model_version, t.collection, t.state),
            jsonb_build_object('collection', collection, 'model_version', model_version, 'state', t.state));
    END IF;
    IF NOT pg_try_advisory_xact_lock_shared(pgvec.build_lock_class(), format('pgvec_leaves.%I', t.leaf)::regclass::oid::integer) THEN
        PERFORM pgvec.raise_error('PV009', format('the index of %s in %s is being built.', t.model_version, t.collection),
            jsonb_build_object('collection', collection, 'model_version', model_version), 'The work waits until the build has ended.');
    END IF;
    SELECT coalesce(array_agg(k.item_id), '{}') INTO held
      FROM (SELECT w.item_id FROM pgvec.work_item w JOIN unnest(items, revisions) u(item_id, revision) ON u.item_id = w.item_id AND u.revision = w.revision
             WHERE w.lease = complete_work.lease AND w.leased_until > clock_timestamp() ORDER BY w.item_id FOR UPDATE OF w) k;
    completed := cardinality(held);
    fenced := cardinality(items) - completed;
    written := 0;
    deleted := 0;
    IF completed > 0 THEN
        fields := pgvec.column_list(pgvec.chunk_table(collection), carried_only => true);
        PERFORM set_config('pgvec.carrying', 'on', true);
        EXECUTE format($q$
            WITH put AS (
            INSERT INTO pgvec_leaves.%2$I AS t (chunk_id, model_version, content, embedding, written_at, %4$s)
            SELECT s.chunk_id, %3$L, s.content, m.embedding, s.written_at, %5$s
              FROM pg_temp.pgvec_made m JOIN pgvec_leaves.%1$I s ON s.chunk_id = m.chunk_id AND sha256(convert_to(s.content, 'UTF8')) = m.content_hash
             WHERE m.item_ids && $1 ORDER BY s.chunk_id FOR SHARE OF s
            ON CONFLICT (chunk_id, model_version) DO UPDATE SET (content, embedding, written_at, %4$s) = ROW(excluded.content, excluded.embedding, excluded.written_at, %6$s)
             WHERE (excluded.written_at, excluded.content) > (t.written_at, t.content)
            RETURNING t.chunk_id::text AS chunk_id, t.xmax = 0 AS is_new)
            SELECT count(*), array_agg(p.chunk_id) FILTER (WHERE p.is_new) FROM put p
        $q$, s.leaf, t.leaf, t.model_version, array_to_string(fields, ', '),
             (SELECT string_agg('s.' || f, ', ') FROM unnest(fields) f), (SELECT string_agg('excluded.' || f, ', ') FROM unnest(fields) f)) INTO written, fresh USING held;
        -- A row that was deleted here while its source could not be reached does not come back from there.
        EXECUTE format($q$
            DELETE FROM pgvec_leaves.%1$I t USING pgvec.work_item w
             WHERE w.collection = %3$L AND w.source_version = %4$L AND w.model_version = %5$L AND w.lo = ANY ($1) AND w.hi = w.lo
               AND t.chunk_id = w.lo::%2$s AND t.written_at <= w.written_at
        $q$, t.leaf, c.id_type, c.collection, t.model_version, s.model_version) USING fresh;
        -- Single items may stand for a deferred delete or a deferred change of the other columns.
        -- A delete that comes late is carried on: another version may have taken the row from here meanwhile.
        EXECUTE format($q$
            WITH gone AS (
                DELETE FROM pgvec_leaves.%2$I t USING pgvec.work_item w
                 WHERE w.item_id = ANY ($1) AND w.lo = w.hi AND t.chunk_id = w.lo::%3$s AND t.written_at <= w.written_at
                   AND NOT EXISTS (SELECT FROM pgvec_leaves.%1$I s WHERE s.chunk_id = w.lo::%3$s)
                RETURNING w.lo, w.written_at),
            carried AS (
                INSERT INTO pgvec.work_item AS k (collection, source_version, model_version, lo, hi, written_at)
                SELECT %4$L, %5$L, v.model_version, g.lo, g.lo, g.written_at
                  FROM gone g, pgvec.model_version v
                 WHERE v.collection = %4$L AND v.follows AND v.state IN ('building', 'ready', 'active', 'draining') AND v.model_version NOT IN (%5$L, %6$L)
                    ON CONFLICT (collection, model_version, source_version, lo, hi) DO UPDATE SET revision = k.revision + 1,
                       lease = NULL, leased_until = NULL, attempts = 0, last_error = NULL, set_aside_at = NULL, written_at = greatest(k.written_at, excluded.written_at))
            SELECT count(*) FROM gone
        $q$, s.leaf, t.leaf, c.id_type, c.collection, t.model_version, s.model_version) INTO deleted USING held;
        EXECUTE format($q$
            UPDATE pgvec_leaves.%2$I t SET (written_at, %4$s) = ROW(s.written_at, %5$s)
              FROM pgvec.work_item w JOIN pgvec_leaves.%1$I s ON s.chunk_id = w.lo::%3$s
             WHERE w.item_id = ANY ($1) AND w.lo = w.hi AND t.chunk_id = s.chunk_id AND t.content = s.content AND s.written_at > t.written_at
        $q$, s.leaf, t.leaf, c.id_type, array_to_string(fields, ', '), (SELECT string_agg('s.' || f, ', ') FROM unnest(fields) f)) USING held;
        PERFORM set_config('pgvec.carrying', '', true);
        DELETE FROM pgvec.work_item w WHERE w.item_id = ANY (held);
    END IF;
    RETURN NEXT;
END
$$;
