-- Statement trigger on the chunk table: carries a change of one version's rows to every other live version.
-- One rule: of two writes to a chunk the later written_at wins, whole, and a delete is a write (pgvec.tombstone).
-- New or changed content becomes a work item; a change of the other columns and a delete are made in the
-- counterparts at once, where no other session holds them, and become work items where one does: a writer never
-- waits for a counterpart. Rows that another version holds already do not echo. Workers write to the leaves,
-- where this does not fire.
--
-- Deferred: while a version's index is built (its leaf is locked against writes), and in a transaction above
-- READ COMMITTED (which cannot see what a worker has just written), every change becomes a work item.
--
-- SECURITY DEFINER: a writer needs no privilege on the catalog or on other versions' leaves, and row-level
-- security of the writer must not hide counterparts from a delete.
-- A row of an abandoned version carries nothing: deleting what is left of it harms no other version.
-- A fill by hand (rows inserted into a building version of chunks that the active version holds) is a copy, never
-- news; a writer whose rows are no copies says so: SET LOCAL pgvec.news = 'on'.
-- Raises PV007 (a trigger on another table), PV023 (a row of an abandoned version), 40001 (snapshot older than
-- the set of live versions), 42501 (row-level security that holds the owner too would hide counterparts).
CREATE OR REPLACE FUNCTION pgvec.follow_writes()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    coll CONSTANT text := TG_ARGV[0];
    has_new CONSTANT boolean := TG_OP <> 'DELETE';
    has_old CONSTANT boolean := TG_OP <> 'INSERT';
    stale_reader CONSTANT boolean := current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted');
    happened_at CONSTANT timestamptz := clock_timestamp();
    leaves integer;
    abandoned text[];
    wrong text;
    target record;
    deferred boolean;
    fields text[];
    new_fields text;
    deleted text;
    fills text[] := '{}';
    news text := '';
    risen text[];
    put_again text[] := '{}';
    not_risen text;
    put_item CONSTANT text := ' ON CONFLICT (collection, model_version, source_version, lo, hi) DO UPDATE SET revision = w.revision + 1, '
                              'lease = NULL, leased_until = NULL, attempts = 0, last_error = NULL, set_aside_at = NULL';
BEGIN
    -- It runs with its owner's privileges: whoever may call it must not make it work for a table of his own.
    IF TG_RELID <> pgvec.chunk_table(coll) THEN
        PERFORM pgvec.raise_error('PV007', format('%s is not the chunk table of %s.', TG_RELID::regclass, coll), jsonb_build_object('collection', coll), 'Drop this trigger.');
    END IF;
    IF stale_reader THEN
        -- Registration raises the epoch: an older snapshot would miss the new version, so it fails here.
        PERFORM FROM pgvec.collection c WHERE c.collection = coll FOR SHARE;
    END IF;
    SELECT count(*), coalesce(array_agg(v.model_version) FILTER (WHERE v.state = 'abandoned'), '{}') INTO leaves, abandoned
      FROM pgvec.model_version v WHERE v.collection = coll AND v.dropped_at IS NULL;
    IF has_new AND abandoned <> '{}' THEN
        SELECT n.model_version INTO wrong FROM new_rows n WHERE n.model_version = ANY (abandoned) LIMIT 1;
        IF FOUND THEN
            PERFORM pgvec.raise_error('PV023', format('version %s of %s is abandoned: nothing is written to it.', wrong, coll),
                jsonb_build_object('collection', coll, 'model_version', wrong), 'Write with the label of a live version.');
        END IF;
    END IF;
    IF leaves < 2 THEN
        RETURN NULL;
    END IF;
    IF row_security_active(TG_RELID) THEN
        PERFORM pgvec.raise_error('42501', format('row-level security of %s holds its owner %s too (FORCE): this change would not reach every version.', TG_RELID::regclass, current_user),
            jsonb_build_object('collection', coll, 'owner', current_user), format('ALTER ROLE %I BYPASSRLS;', current_user));
    END IF;

    fields := pgvec.column_list(TG_RELID, carried_only => true) || '{written_at}'::text[];
    new_fields := (SELECT string_agg('n.' || f, ', ') FROM unnest(fields) f);
    PERFORM set_config('pgvec.carrying', 'on', true);
    IF TG_OP = 'INSERT' THEN
        FOR target IN
            SELECT v.model_version, v.leaf, a.leaf AS active_leaf, v.state = 'building' AND a.leaf IS NOT NULL AND current_setting('pgvec.news', true) IS DISTINCT FROM 'on' AS fills
              FROM pgvec.model_version v LEFT JOIN pgvec.model_version a ON a.collection = v.collection AND a.state = 'active'
             WHERE v.collection = coll AND v.model_version IN (SELECT n.model_version FROM new_rows n)
        LOOP
            IF target.fills THEN
                fills := fills || target.model_version;
                -- A copy is as old as what it copies, and has its other columns; a copy of what was edited meanwhile is older.
                EXECUTE format($q$
                    WITH held AS MATERIALIZED (
                        SELECT s.* FROM pgvec_leaves.%2$I s WHERE s.chunk_id IN (SELECT n.chunk_id FROM new_rows n WHERE n.model_version = %3$L) ORDER BY s.chunk_id FOR KEY SHARE OF s)
                    UPDATE pgvec_leaves.%1$I n SET (%4$s) = ROW(%5$s) FROM held s
                     WHERE n.chunk_id = s.chunk_id AND n.content = s.content AND ROW(%5$s)::record OPERATOR(pg_catalog.*<>) ROW(%6$s)::record
                $q$, target.leaf, target.active_leaf, target.model_version, array_to_string(fields, ', '), (SELECT string_agg('s.' || f, ', ') FROM unnest(fields) f), new_fields);
                EXECUTE format($q$
                    WITH stale AS (
                        UPDATE pgvec_leaves.%1$I t SET written_at = least(t.written_at, s.written_at - interval '1 microsecond')
                          FROM new_rows n JOIN pgvec_leaves.%2$I s ON s.chunk_id = n.chunk_id AND s.content <> n.content
                         WHERE n.model_version = %3$L AND t.chunk_id = n.chunk_id RETURNING t.chunk_id)
                    INSERT INTO pgvec.work_item AS w (collection, source_version, model_version, lo, hi)
                    SELECT %4$L, a.model_version, %3$L, k.chunk_id::text, k.chunk_id::text FROM stale k, pgvec.model_version a
                     WHERE a.collection = %4$L AND a.state = 'active' ORDER BY k.chunk_id
                    -- An open item is enough, and locking it would make those wait who edit the chunk.
                    ON CONFLICT (collection, model_version, source_version, lo, hi) DO NOTHING
                $q$, target.leaf, target.active_leaf, target.model_version, coll);
                news := format(' AND NOT (n.model_version = ANY (%L) AND (EXISTS (SELECT FROM pgvec_leaves.%I s WHERE s.chunk_id = n.chunk_id) '
                               'OR NOT EXISTS (SELECT FROM %s k WHERE k.chunk_id = n.chunk_id AND k.model_version = n.model_version)))', fills, target.active_leaf, TG_RELID::regclass);
            END IF;
            IF EXISTS (SELECT FROM pgvec.tombstone d WHERE d.collection = coll) THEN
                IF target.fills THEN
                    -- A copy of what was deleted, or is as old as a statement that began before the delete.
                    EXECUTE format('DELETE FROM pgvec_leaves.%1$I t USING new_rows n, pgvec.tombstone d WHERE n.model_version = %2$L AND t.chunk_id = n.chunk_id AND d.collection = %3$L '
                                   'AND d.chunk_id = n.chunk_id::text AND d.deleted_at >= least(n.written_at, transaction_timestamp()) '
                                   'AND NOT EXISTS (SELECT FROM pgvec_leaves.%4$I s WHERE s.chunk_id = n.chunk_id)', target.leaf, target.model_version, coll, target.active_leaf);
                END IF;
            END IF;
        END LOOP;
    END IF;
    IF has_new AND stale_reader THEN
        -- Its snapshot may not show the delete that an insert has waited for: then this fails with 40001, or the stamp is later.
        FOR target IN
            SELECT v.model_version, v.leaf FROM pgvec.model_version v
             WHERE v.collection = coll AND v.model_version <> ALL (fills) AND v.model_version IN (SELECT n.model_version FROM new_rows n)
        LOOP
            EXECUTE format('UPDATE pgvec_leaves.%I t SET written_at = greatest(t.written_at, clock_timestamp()) FROM new_rows n '
                           'WHERE n.model_version = %L AND t.chunk_id = n.chunk_id AND n.written_at >= transaction_timestamp()', target.leaf, target.model_version);
        END LOOP;
    END IF;
    IF has_new AND EXISTS (SELECT FROM pgvec.tombstone d WHERE d.collection = coll) THEN
        -- Put again, with an old written_at (given, or from before a wait for the delete), by an insert or by an UPDATE of
        -- chunk_id: later than the delete all the same. The transition table shows the old one, so a work item carries it.
        FOR target IN
            SELECT v.model_version, v.leaf FROM pgvec.model_version v
             WHERE v.collection = coll AND v.model_version <> ALL (fills) AND v.model_version IN (SELECT n.model_version FROM new_rows n)
        LOOP
            EXECUTE format($q$
                WITH risen AS (
                    UPDATE pgvec_leaves.%1$I t SET written_at = d.deleted_at + interval '1 microsecond'
                      FROM new_rows n CROSS JOIN LATERAL (SELECT k.deleted_at FROM pgvec.tombstone k WHERE k.collection = %3$L AND k.chunk_id = n.chunk_id::text ORDER BY k.deleted_at DESC LIMIT 1) d
                     WHERE n.model_version = %2$L AND t.chunk_id = n.chunk_id AND d.deleted_at >= n.written_at %4$s RETURNING t.chunk_id)
                SELECT coalesce(array_agg(r.chunk_id::text), '{}') FROM risen r
            $q$, target.leaf, target.model_version, coll,
                CASE WHEN has_old THEN 'AND NOT EXISTS (SELECT FROM old_rows o WHERE o.chunk_id = n.chunk_id AND o.model_version = n.model_version)' ELSE '' END) INTO risen;
            put_again := put_again || risen;
        END LOOP;
    END IF;
    not_risen := CASE WHEN put_again = '{}' THEN '' ELSE format(' AND n.chunk_id::text <> ALL (%L::text[])', put_again) END;
    IF has_old THEN
        deleted := format('SELECT o.chunk_id, o.model_version, o.written_at FROM old_rows o WHERE o.model_version <> ALL (%L)', abandoned)
            || CASE WHEN has_new THEN ' AND NOT EXISTS (SELECT FROM new_rows n WHERE n.chunk_id = o.chunk_id AND n.model_version = o.model_version)' ELSE '' END;
        EXECUTE format('INSERT INTO pgvec.tombstone (collection, chunk_id, deleted_at) SELECT %L, d.chunk_id::text, greatest(%L, max(d.written_at)) FROM (%s) d GROUP BY d.chunk_id', coll, happened_at, deleted);
    END IF;

    FOR target IN
        SELECT v.model_version, v.leaf, format('pgvec_leaves.%I', v.leaf)::regclass AS relation, v.follows AND v.state <> 'abandoned' AS follows
          FROM pgvec.model_version v WHERE v.collection = coll AND v.dropped_at IS NULL ORDER BY v.model_version
    LOOP
        deferred := stale_reader OR NOT pgvec.try_share_leaf(target.relation);
        IF has_old AND NOT deferred THEN
            -- Also where it does not follow: what is deleted is gone everywhere. A row that was written after our look at
            -- the clock, and that we have seen, is deleted too: then as late as that.
            EXECUTE format($q$
                WITH free AS MATERIALIZED (
                    SELECT t.chunk_id FROM pgvec_leaves.%1$I t WHERE t.chunk_id IN (SELECT d.chunk_id FROM (%3$s) d WHERE d.model_version <> %2$L)
                     ORDER BY t.chunk_id FOR UPDATE OF t SKIP LOCKED),
                gone AS (DELETE FROM pgvec_leaves.%1$I t USING free f WHERE t.chunk_id = f.chunk_id RETURNING t.chunk_id, t.written_at)
                INSERT INTO pgvec.tombstone (collection, chunk_id, deleted_at) SELECT %4$L, g.chunk_id::text, g.written_at FROM gone g WHERE g.written_at > %5$L
            $q$, target.leaf, target.model_version, deleted, coll, happened_at);
        END IF;
        CONTINUE WHEN NOT target.follows;
        IF has_old THEN
            -- What is left, because another session holds it; and, among three leaves or more, what a worker may be
            -- putting there at this moment from a row that we could not hold either.
            EXECUTE format($q$
                INSERT INTO pgvec.work_item AS w (collection, source_version, model_version, lo, hi)
                SELECT %4$L, d.model_version, %2$L, d.chunk_id::text, d.chunk_id::text FROM (%3$s) d
                 WHERE d.model_version <> %2$L
                   AND (%5$L OR EXISTS (SELECT FROM pgvec_leaves.%1$I t WHERE t.chunk_id = d.chunk_id)
                        OR (%6$L AND NOT EXISTS (SELECT FROM old_rows o WHERE o.chunk_id = d.chunk_id AND o.model_version = %2$L)))
                 ORDER BY d.chunk_id
            $q$, target.leaf, target.model_version, deleted, coll, deferred, leaves > 2) || put_item;
        END IF;
        CONTINUE WHEN NOT has_new;
        IF NOT deferred THEN
            -- A counterpart with this content needs no vector. It stays locked until we commit: nobody deletes it unseen.
            EXECUTE format($q$
                WITH free AS MATERIALIZED (
                    SELECT t.chunk_id FROM pgvec_leaves.%1$I t JOIN new_rows n ON n.chunk_id = t.chunk_id AND n.content = t.content AND n.written_at > t.written_at
                     WHERE n.model_version <> %2$L %5$s ORDER BY t.chunk_id FOR NO KEY UPDATE OF t SKIP LOCKED)
                UPDATE pgvec_leaves.%1$I t SET (%3$s) = ROW(%4$s) FROM new_rows n
                 WHERE t.chunk_id IN (SELECT f.chunk_id FROM free f) AND n.chunk_id = t.chunk_id AND n.content = t.content AND n.written_at > t.written_at
                   AND n.model_version <> %2$L %5$s
            $q$, target.leaf, target.model_version, array_to_string(fields, ', '), new_fields, news || not_risen);
            -- A later row was there already: it goes the other way.
            EXECUTE format($q$
                INSERT INTO pgvec.work_item AS w (collection, source_version, model_version, lo, hi)
                SELECT %3$L, %2$L, n.model_version, n.chunk_id::text, n.chunk_id::text
                  FROM new_rows n JOIN pgvec_leaves.%1$I t ON t.chunk_id = n.chunk_id AND (t.written_at, t.content) > (n.written_at, n.content)
                 WHERE n.model_version <> %2$L %4$s AND NOT EXISTS (SELECT FROM new_rows o WHERE o.chunk_id = n.chunk_id AND o.model_version = %2$L)
                 ORDER BY n.chunk_id
            $q$, target.leaf, target.model_version, coll, news) || put_item;
        END IF;
        -- A counterpart that is as old, with this content, is held too, or we could not know that it stays.
        EXECUTE format($q$
            WITH same AS MATERIALIZED (
                SELECT t.chunk_id FROM pgvec_leaves.%1$I t JOIN new_rows n ON n.chunk_id = t.chunk_id AND n.content = t.content AND n.written_at = t.written_at
                 WHERE NOT %5$L AND n.model_version <> %2$L %4$s ORDER BY t.chunk_id FOR KEY SHARE OF t SKIP LOCKED)
            INSERT INTO pgvec.work_item AS w (collection, source_version, model_version, lo, hi)
            SELECT %3$L, n.model_version, %2$L, n.chunk_id::text, n.chunk_id::text FROM new_rows n
             WHERE n.model_version <> %2$L %4$s
               AND NOT (n.chunk_id IN (SELECT s.chunk_id FROM same s)
                        OR (NOT %5$L AND EXISTS (SELECT FROM pgvec_leaves.%1$I t WHERE t.chunk_id = n.chunk_id AND (t.written_at, t.content) > (n.written_at, n.content)) %6$s))
             ORDER BY n.chunk_id
        $q$, target.leaf, target.model_version, coll, news, deferred, not_risen) || put_item;
    END LOOP;
    PERFORM set_config('pgvec.carrying', '', true);
    RETURN NULL;
END
$$;
