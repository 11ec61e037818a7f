-- Plans the work that a version still needs: work items for every chunk that it lacks or holds in an older form. Call
-- it as often as you like: items that no worker has claimed are planned again; claimed items and items that were set
-- aside stay as they are. A draining version that has stopped following writes follows them again.
-- Where two versions differ although they hold the same write, the active version's row is right.
-- A chunk that the active version lacks, or holds in an older form, comes from another version only when you plan for
-- the active version: it may have been deleted there around the triggers. See pgvec.unsettled_chunks.
-- Arguments:
--   chunks_per_item  the most chunks of one interval
-- Returns how many work items of the version are open.
-- Raises: PV001 (no such collection), PV002 (no such version), PV005 (not live), PV007 (chunks_per_item), 42501
-- (row-level security would hide rows).
CREATE OR REPLACE FUNCTION pgvec.plan_backfill(collection text, model_version text, chunks_per_item integer DEFAULT 512)
RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    target pgvec.model_version := pgvec.get_version(collection, model_version);
    source pgvec.model_version;
    -- Where a row has another owner in the source, the source is right, unless the target is the active version.
    new_owner CONSTANT jsonb := CASE WHEN target.state <> 'active' THEN '"any"' END;
    open_items bigint;
BEGIN
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
       FROM pgvec.refuse_plan_backfill(collection, model_version) r;
    IF chunks_per_item IS NULL OR chunks_per_item < 1 THEN
        PERFORM pgvec.raise_error('PV007', 'chunks_per_item must be 1 or more.',
            jsonb_build_object('chunks_per_item', chunks_per_item));
    END IF;
    IF NOT target.follows THEN
        PERFORM pgvec.follow_again(collection, model_version);
    END IF;
    UPDATE pgvec.collection k SET epoch = k.epoch + 1 WHERE k.collection = c.collection;
    FOR source IN SELECT * FROM pgvec.reference_versions(collection, model_version) LOOP
        PERFORM pgvec.draw_lost_turns(c, source);
        IF target.state <> 'active' THEN
            PERFORM pgvec.settle_equal_turns(c, source, target);
        END IF;
        PERFORM pgvec.plan_intervals(c, source, target, chunks_per_item, new_owner);
        PERFORM pgvec.plan_single_items(c, source, target, new_owner);
    END LOOP;
    IF target.state = 'active' THEN
        PERFORM pgvec.plan_unsettled(c, target);
    END IF;
    SELECT count(*) INTO open_items FROM pgvec.work_item w
     WHERE w.collection = c.collection AND w.model_version = target.model_version AND w.set_aside_at IS NULL;
    PERFORM pgvec.log_event(collection, model_version, 'plan_backfill', target.state, target.state,
        jsonb_build_object('open_items', open_items));
    RETURN open_items;
END
$$;
