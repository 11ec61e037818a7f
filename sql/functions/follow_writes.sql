-- Statement trigger on the chunk table: carries a change of one version's rows to every other live
-- version. New or changed content becomes a work item; a change of the other columns and a delete are
-- made in the counterparts at once. Rows that another version holds already with the same content
-- do not echo. Workers write to the leaves, where this does not fire.
--
-- Deferred: while a version's index is built (its leaf is locked against writes), and in a transaction
-- above READ COMMITTED (which cannot see what a worker has just written), every change becomes a work
-- item instead, so that no writer waits for a build and nothing is carried on a stale view.
--
-- SECURITY DEFINER: a writer needs no privilege on the catalog or on other versions' leaves, and
-- row-level security of the writer must not hide counterparts from a delete.
-- A row of an abandoned version carries nothing: deleting what is left of it harms no other version.
-- A fill by hand takes the other columns of a chunk that the active version holds with that content from there;
-- a writer whose rows are no copies says so: SET LOCAL pgvec.news = 'on'.
-- Raises PV007 (a trigger on another table), PV023 (a row of an abandoned version), 40001 (snapshot older than
-- the set of live versions).
CREATE OR REPLACE FUNCTION pgvec.follow_writes()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    coll CONSTANT text := TG_ARGV[0];
    has_new CONSTANT boolean := TG_OP <> 'DELETE';
    has_old CONSTANT boolean := TG_OP <> 'INSERT';
    stale_reader CONSTANT boolean := current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted');
    abandoned text;
    silent text[];
    fills text[] := '{}';
    fill record;
    target record;
    fields text[];
    in_new text;
    touched text;
    put_item text;
    asked_at text;
BEGIN
    -- It runs with its owner's privileges: whoever may call it must not make it work for a table of his own.
    IF TG_RELID <> pgvec.chunk_table(coll) THEN
        PERFORM pgvec.raise_error('PV007', format('%s is not the chunk table of %s.', TG_RELID::regclass, coll), jsonb_build_object('collection', coll), 'Drop this trigger.');
    END IF;
    IF stale_reader THEN
        -- Registration raises the epoch: an older snapshot would miss the new version, so it fails here.
        PERFORM FROM pgvec.collection c WHERE c.collection = coll FOR SHARE;
    END IF;
    IF has_new AND EXISTS (SELECT FROM pgvec.model_version v WHERE v.collection = coll AND v.state = 'abandoned' AND v.dropped_at IS NULL) THEN
        SELECT v.model_version INTO abandoned FROM pgvec.model_version v
         WHERE v.collection = coll AND v.state = 'abandoned' AND EXISTS (SELECT FROM new_rows n WHERE n.model_version = v.model_version) LIMIT 1;
        IF FOUND THEN
            PERFORM pgvec.raise_error('PV023', format('version %s of %s is abandoned: nothing is written to it.', abandoned, coll),
                jsonb_build_object('collection', coll, 'model_version', abandoned), 'Write with the label of a live version.');
        END IF;
    END IF;
    IF (SELECT count(*) FROM pgvec.model_version v WHERE v.collection = coll AND v.dropped_at IS NULL) < 2 THEN
        RETURN NULL;
    END IF;

    fields := pgvec.column_list(TG_RELID, carried_only => true) || '{written_at}'::text[];
    in_new := CASE WHEN TG_OP = 'UPDATE'
                   THEN 'AND NOT EXISTS (SELECT FROM new_rows n WHERE n.chunk_id = o.chunk_id AND n.model_version = o.model_version)'
                   ELSE '' END;
    silent := ARRAY(SELECT v.model_version FROM pgvec.model_version v WHERE v.collection = coll AND v.state = 'abandoned' AND v.dropped_at IS NULL);
    IF has_old AND silent <> '{}' THEN
        -- What was deleted there by hand is not carried any more; it is no delete to be carried either.
        DELETE FROM pgvec.work_item w USING old_rows o
         WHERE o.model_version = ANY (silent) AND w.collection = coll AND w.source_version = o.model_version AND w.lo = o.chunk_id::text AND w.hi = w.lo;
    END IF;
    IF TG_OP = 'INSERT' AND current_setting('pgvec.news', true) IS DISTINCT FROM 'on' THEN
        -- Rows filled by hand are copies, not news: they are as old as what they copy, so that an edit which commits
        -- while they are filled is the later one.
        FOR fill IN
            SELECT b.model_version, b.leaf, a.leaf AS active_leaf FROM pgvec.model_version b JOIN pgvec.model_version a ON a.collection = b.collection AND a.state = 'active'
             WHERE b.collection = coll AND b.state = 'building' AND EXISTS (SELECT FROM new_rows n WHERE n.model_version = b.model_version)
        LOOP
            fills := fills || fill.model_version;
            PERFORM set_config('pgvec.carrying', 'on', true);
            EXECUTE format('UPDATE pgvec_leaves.%1$I t SET (%3$s) = ROW(%4$s) FROM pgvec_leaves.%2$I s, new_rows n '
                           'WHERE n.model_version = %6$L AND t.chunk_id = n.chunk_id AND s.chunk_id = n.chunk_id AND s.content = n.content AND ROW(%4$s)::record OPERATOR(pg_catalog.*<>) ROW(%5$s)::record',
                           fill.leaf, fill.active_leaf, array_to_string(fields, ', '), (SELECT string_agg('s.' || f, ', ') FROM unnest(fields) f),
                           (SELECT string_agg('n.' || f, ', ') FROM unnest(fields) f), fill.model_version);
            PERFORM set_config('pgvec.carrying', '', true);
        END LOOP;
    END IF;
    -- An item is as old as the row it is for: should that row fall to a delete that was put off, the item is that
    -- delete no more than it was, and takes nothing with it that was written since.
    asked_at := format('CASE WHEN n.model_version = ANY (%L) THEN timestamptz ''epoch'' ELSE n.written_at END', fills);
    put_item := ' ON CONFLICT (collection, model_version, source_version, lo, hi) DO UPDATE SET revision = w.revision + 1, '
                'lease = NULL, leased_until = NULL, attempts = 0, last_error = NULL, set_aside_at = NULL, written_at = excluded.written_at';

    FOR target IN
        SELECT v.model_version, v.leaf, format('pgvec_leaves.%I', v.leaf)::regclass::oid::integer AS lock_key,
               v.follows AND v.state IN ('building', 'ready', 'active', 'draining') AS carried_to
          FROM pgvec.model_version v
         WHERE v.collection = coll AND v.dropped_at IS NULL
    LOOP
        -- A version that does not follow loses only what is deleted: it may still have it to carry, and it must not come back.
        IF NOT target.carried_to THEN
            IF has_old THEN
                PERFORM set_config('pgvec.carrying', 'on', true);
                EXECUTE format('DELETE FROM pgvec_leaves.%1$I t USING old_rows o WHERE o.model_version <> ALL (%2$L) AND t.chunk_id = o.chunk_id %3$s', target.leaf, silent || target.model_version, in_new);
                PERFORM set_config('pgvec.carrying', '', true);
            END IF;
            CONTINUE;
        END IF;
        IF stale_reader OR NOT pg_try_advisory_xact_lock_shared(pgvec.build_lock_class(), target.lock_key) THEN
            touched := concat_ws(' UNION ',
                CASE WHEN has_new THEN format('SELECT n.chunk_id, n.model_version, %s AS asked_at FROM new_rows n WHERE n.model_version <> %L', asked_at, target.model_version) END,
                CASE WHEN has_old THEN format('SELECT o.chunk_id, o.model_version, clock_timestamp() AS asked_at FROM old_rows o WHERE o.model_version <> ALL (%L) %s', silent || target.model_version, in_new) END);
            EXECUTE format('INSERT INTO pgvec.work_item AS w (collection, source_version, model_version, lo, hi, written_at) '
                           'SELECT %1$L, d.model_version, %2$L, d.chunk_id::text, d.chunk_id::text, d.asked_at FROM (%3$s) d ORDER BY d.chunk_id', coll, target.model_version, touched) || put_item;
            CONTINUE;
        END IF;
        PERFORM set_config('pgvec.carrying', 'on', true);
        IF has_old THEN
            EXECUTE format('DELETE FROM pgvec_leaves.%1$I t USING old_rows o WHERE o.model_version <> ALL (%2$L) AND t.chunk_id = o.chunk_id %3$s', target.leaf, silent || target.model_version, in_new);
        END IF;
        IF has_new THEN
            -- A counterpart that holds the content already is locked, so that it cannot be deleted unseen
            -- between this look and our commit. An item that waits for the same chunk is asked again.
            EXECUTE format($q$
                WITH same AS MATERIALIZED (
                    SELECT t.chunk_id FROM pgvec_leaves.%1$I t JOIN new_rows n ON n.chunk_id = t.chunk_id AND n.content = t.content
                     WHERE n.model_version <> %2$L FOR KEY SHARE OF t)
                INSERT INTO pgvec.work_item AS w (collection, source_version, model_version, lo, hi, written_at)
                SELECT %3$L, n.model_version, %2$L, n.chunk_id::text, n.chunk_id::text, %4$s
                  FROM new_rows n
                 WHERE n.model_version <> %2$L
                   AND (NOT EXISTS (SELECT FROM same s WHERE s.chunk_id = n.chunk_id)
                        OR EXISTS (SELECT FROM pgvec.work_item p WHERE p.collection = %3$L AND p.model_version = %2$L AND p.source_version = n.model_version
                                                                    AND p.lo = n.chunk_id::text AND p.hi = n.chunk_id::text))
                 ORDER BY n.chunk_id
            $q$, target.leaf, target.model_version, coll, asked_at) || put_item;
            EXECUTE format($q$
                UPDATE pgvec_leaves.%1$I t SET (%3$s) = ROW(%4$s)
                  FROM new_rows n
                 WHERE n.model_version <> ALL (%2$L) AND t.chunk_id = n.chunk_id AND t.content = n.content AND n.written_at > t.written_at
            $q$, target.leaf, fills || target.model_version, array_to_string(fields, ', '), (SELECT string_agg('n.' || f, ', ') FROM unnest(fields) f));
        END IF;
        PERFORM set_config('pgvec.carrying', '', true);
    END LOOP;
    RETURN NULL;
END
$$;
