-- The dry run of a verb: what it would do, and what is in the way of it. Promises: changes nothing, takes no lock
-- that anybody waits for. What it says is true of this moment; the verb looks again for itself, under its locks.
--   verb           create_collection, drop_collection, register_version, plan_backfill, build_index, make_ready, cut_over,
--                  roll_back, abandon, pause, resume, retry_set_aside or retire_due
--   collection     NULL is all of them, for retire_due only
--   model_version  by default what roll_back goes back to, what retire_due finds due, and all for retry_set_aside
-- Shape: rows of kind 'does' (in the order in which it happens) and 'in the way'; none in the way: the verb goes through.
-- Raises PV001, PV002, PV007 (no such verb, or a version is needed).
CREATE OR REPLACE FUNCTION pgvec.preview(verb text, collection text, model_version text DEFAULT NULL, host_schema text DEFAULT current_schema())
RETURNS TABLE (kind text, what text, detail jsonb) LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    asked CONSTANT text := preview.verb;
    c pgvec.collection;
    v pgvec.model_version;
    due record;
    label text := preview.model_version;
    active text;
    problems jsonb;
    judged jsonb;
    needed text[];
    open_items bigint;
    set_aside bigint;
    amount bigint;
    planner real;
BEGIN
    IF asked IS NULL OR asked NOT IN ('create_collection', 'drop_collection', 'register_version', 'plan_backfill', 'build_index', 'make_ready', 'cut_over',
                     'roll_back', 'abandon', 'pause', 'resume', 'retry_set_aside', 'retire_due') THEN
        PERFORM pgvec.raise_error('PV007', format('preview: %s is no verb that changes something.', asked), jsonb_build_object('verb', asked));
    END IF;
    IF asked = 'create_collection' THEN
        RETURN QUERY SELECT 'does', format('creates the chunk table %1$I.%2$I, its triggers and the empty view active_%2$s', preview.host_schema, preview.collection), '{}'::jsonb;
        RETURN QUERY SELECT 'in the way', format('%s exists already', r), jsonb_build_object('relation', r)
                       FROM unnest(ARRAY[preview.collection, 'active_' || preview.collection]) r
                      WHERE to_regclass(format('%I.%I', preview.host_schema, r)) IS NOT NULL OR EXISTS (SELECT FROM pgvec.collection k WHERE k.collection = r);
        RETURN;
    END IF;
    IF asked = 'retire_due' AND preview.collection IS NULL THEN
        RETURN QUERY SELECT p.* FROM pgvec.collection k, pgvec.preview('retire_due', k.collection) p;
        RETURN;
    END IF;

    c := pgvec.get_collection(preview.collection);
    active := pgvec.active_version(c.collection);
    IF asked = 'roll_back' AND label IS NULL THEN
        label := (SELECT k.model_version FROM pgvec.model_version k WHERE k.collection = c.collection AND k.state = 'draining' ORDER BY k.draining_at DESC LIMIT 1);
        IF label IS NULL THEN
            RETURN QUERY SELECT 'in the way', format('%s has no draining version to go back to', c.collection), jsonb_build_object('active', active);
            RETURN;
        END IF;
    END IF;
    IF asked = 'register_version' THEN
        RETURN QUERY SELECT 'does', format('creates an empty leaf for %s, which follows every write from then on; writers wait while it is attached', coalesce(label, 'the version')), '{}'::jsonb;
        RETURN QUERY SELECT 'in the way', format('the label %s was used before: it is %s', k.model_version, k.state), jsonb_build_object('state', k.state)
                       FROM pgvec.model_version k WHERE k.collection = c.collection AND k.model_version = label;
        RETURN;
    ELSIF asked = 'drop_collection' THEN
        SELECT sum(pg_total_relation_size(to_regclass(format('pgvec_leaves.%I', k.leaf)))) INTO amount FROM pgvec.model_version k WHERE k.collection = c.collection AND k.dropped_at IS NULL;
        RETURN QUERY SELECT 'does', format('drops %s with all its versions, views and chunks: %s', c.collection, pg_size_pretty(coalesce(amount, 0))), jsonb_build_object('bytes', coalesce(amount, 0));
        RETURN;
    ELSIF asked = 'retry_set_aside' THEN
        SELECT count(*) INTO set_aside FROM pgvec.work_item w WHERE w.collection = c.collection AND w.set_aside_at IS NOT NULL AND (label IS NULL OR w.model_version = label);
        RETURN QUERY SELECT 'does', format('opens %s work items again that were set aside', set_aside), jsonb_build_object('set_aside', set_aside);
        RETURN;
    ELSIF asked = 'retire_due' THEN
        FOR due IN SELECT k.*, pg_total_relation_size(to_regclass(format('pgvec_leaves.%I', k.leaf))) AS bytes FROM pgvec.model_version k
                    WHERE k.collection = c.collection AND k.state IN ('draining', 'abandoned') AND k.dropped_at IS NULL AND k.retire_at <= clock_timestamp()
                      AND (label IS NULL OR k.model_version = label) ORDER BY k.retire_at
        LOOP
            RETURN QUERY SELECT 'does', format('drops the pinned view and the leaf of %s in %s: %s', due.model_version, c.collection, pg_size_pretty(due.bytes)), jsonb_build_object('model_version', due.model_version, 'bytes', due.bytes);
            SELECT count(*) INTO amount FROM pgvec.work_item w WHERE w.collection = c.collection AND w.source_version = due.model_version;
            IF amount > 0 THEN
                RETURN QUERY SELECT 'in the way', format('%s work items of other versions still read from %s', amount, due.model_version), jsonb_build_object('model_version', due.model_version, 'feeding', amount);
            END IF;
            IF due.state = 'draining' AND active IS NULL THEN
                RETURN QUERY SELECT 'in the way', format('%s is the last live version of %s', due.model_version, c.collection), jsonb_build_object('model_version', due.model_version);
            END IF;
        END LOOP;
        IF pg_is_in_recovery() THEN
            RETURN QUERY SELECT 'in the way', 'this server is a standby: the job does nothing here', jsonb_build_object('in_recovery', true);
        END IF;
        RETURN;
    END IF;

    IF label IS NULL THEN
        PERFORM pgvec.raise_error('PV007', format('preview: %s needs a version.', asked), jsonb_build_object('verb', asked), 'Name it as the third argument.');
    END IF;
    v := pgvec.get_version(c.collection, label);
    SELECT count(*) FILTER (WHERE w.set_aside_at IS NULL), count(*) FILTER (WHERE w.set_aside_at IS NOT NULL) INTO open_items, set_aside
      FROM pgvec.work_item w WHERE w.collection = c.collection AND w.model_version = label;
    needed := CASE asked WHEN 'cut_over' THEN '{ready}' WHEN 'roll_back' THEN '{draining}' WHEN 'abandon' THEN '{building,ready}' WHEN 'make_ready' THEN '{building,ready}'
                         ELSE '{building,ready,active,draining}' END::text[];
    IF v.state <> ALL (needed) THEN
        RETURN QUERY SELECT 'in the way', format('%s is %s, not %s', label, v.state, array_to_string(needed, ' or ')), jsonb_build_object('state', v.state, 'needed', needed);
    END IF;
    IF asked = 'cut_over' AND v.state = 'ready' THEN
        judged := pgvec.check_gate(c.collection, label);
        IF NOT (judged ->> 'passed')::boolean THEN
            RETURN QUERY SELECT 'in the way', format('the gate stops %s: %s', label, (SELECT string_agg(f ->> 'check', ', ') FROM jsonb_array_elements(judged -> 'failures') f)),
                                jsonb_build_object('gate', judged -> 'failures');
        END IF;
    END IF;
    IF v.paused_at IS NOT NULL AND asked IN ('build_index', 'make_ready', 'cut_over') THEN
        RETURN QUERY SELECT 'in the way', format('%s is paused since %s', label, to_char(v.paused_at, 'YYYY-MM-DD HH24:MI:SS')), jsonb_build_object('paused_at', v.paused_at);
    END IF;

    CASE asked
    WHEN 'plan_backfill' THEN
        IF v.dropped_at IS NULL THEN
            SELECT count(*) INTO amount FROM pgvec.missing_chunks(c.collection, label);
            RETURN QUERY SELECT 'does', format('plans work items for %s chunks that %s lacks or holds in an older text', amount, label), jsonb_build_object('missing', amount, 'open_items', open_items);
        END IF;
    WHEN 'build_index' THEN
        -- The planner's guess: counting would read the leaf.
        SELECT k.reltuples INTO planner FROM pg_catalog.pg_class k WHERE k.oid = to_regclass(format('pgvec_leaves.%I', v.leaf));
        RETURN QUERY SELECT 'does', CASE pgvec.index_state(v.leaf) WHEN 'valid' THEN 'nothing: the index is there and valid'
            ELSE format('builds the HNSW index of %s, m = %s, ef_construction = %s; writers and readers go on', label, v.m, v.ef_construction) END,
            jsonb_build_object('index', pgvec.index_state(v.leaf), 'about_chunks', greatest(planner, 0)::bigint, 'open_items', open_items);
        IF pgvec.index_state(v.leaf) IS DISTINCT FROM 'valid' AND active IS NOT NULL THEN
            RETURN QUERY SELECT 'does', format('takes about %s of disk for the index, %s with the leaf; its graph needs about %s of maintenance_work_mem', pg_size_pretty(e.index_bytes),
                                               pg_size_pretty(e.index_bytes + e.leaf_bytes), pg_size_pretty(e.graph_bytes)), to_jsonb(e)
                           FROM pgvec.estimate_size(c.collection, v.dimensions, v.m) e;
        END IF;
    WHEN 'make_ready' THEN
        RETURN QUERY SELECT 'does', format('checks every row of %s; then it is ready and has the pinned view %s', label, v.pinned_view), jsonb_build_object('state', v.state);
        IF v.state IN ('building', 'ready') THEN
            problems := pgvec.ready_problems(c.collection, label);
        END IF;
    WHEN 'cut_over', 'roll_back' THEN
        IF active IS NOT NULL AND active <> label THEN
            RETURN QUERY SELECT 'does', format('%s drains and is retired from %s on', active, to_char(clock_timestamp() + c.retire_after, 'YYYY-MM-DD HH24:MI')), jsonb_build_object('model_version', active, 'retire_after', c.retire_after);
        END IF;
        RETURN QUERY SELECT 'does', format('active_%s shows %s; no row is rewritten', c.collection, label), jsonb_build_object('model_version', label, 'previous', active);
        problems := jsonb_strip_nulls(jsonb_build_object('open_items', nullif(open_items, 0), 'set_aside', nullif(set_aside, 0), 'index', nullif(pgvec.index_state(v.leaf), 'valid'),
            'stopped_following', CASE WHEN NOT v.follows THEN v.draining_at END));
        RETURN QUERY SELECT 'in the way', format('session %s has read or written %s for %s and holds its lock (%s)', a.pid, c.collection, date_trunc('second', clock_timestamp() - a.xact_start), a.state),
                            jsonb_build_object('pid', a.pid, 'state', a.state, 'since', a.xact_start)
                       FROM pg_catalog.pg_stat_activity a
                      WHERE a.pid <> pg_backend_pid() AND a.xact_start < clock_timestamp() - interval '1 second'
                        AND EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.pid = a.pid AND l.granted AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())
                                       AND ((l.relation = to_regclass(format('%I.%I', c.host_schema, 'active_' || c.collection)))
                                            OR (l.relation = to_regclass(format('%I.%I', c.host_schema, c.collection)) AND l.mode IN ('RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'))));
    WHEN 'abandon' THEN
        RETURN QUERY SELECT 'does', format('%s stops following; its pinned view and %s work items go at once, its leaf with the next retire_due', label, open_items + set_aside),
                            jsonb_build_object('model_version', label, 'work_items', open_items + set_aside);
    WHEN 'pause' THEN
        RETURN QUERY SELECT 'does', CASE WHEN v.paused_at IS NULL THEN format('no worker claims the %s open work items of %s, and it is not built, made ready or cut over to', open_items, label)
            ELSE format('nothing: %s is paused since %s', label, to_char(v.paused_at, 'YYYY-MM-DD HH24:MI:SS')) END, jsonb_build_object('open_items', open_items, 'paused_at', v.paused_at);
    WHEN 'resume' THEN
        RETURN QUERY SELECT 'does', CASE WHEN v.paused_at IS NOT NULL THEN format('workers claim the %s open work items of %s again', open_items, label)
            ELSE format('nothing: %s is not paused', label) END, jsonb_build_object('open_items', open_items, 'paused_at', v.paused_at);
    END CASE;
    RETURN QUERY SELECT 'in the way', format('%s: %s. %s', replace(p.key, '_', ' '), p.value #>> '{}', pgvec.what_to_do(c.collection, label, jsonb_build_object(p.key, p.value))),
                        jsonb_build_object(p.key, p.value)
                   FROM jsonb_each(coalesce(problems, '{}')) p;
END
$$;
