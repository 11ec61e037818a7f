-- The rules of retirement, in one place: why a version may not go now, or nulls when it may. Takes no locks: whoever
-- drops asks again under them. Reasons: 'active', 'not due' (building, ready or gone), 'in grace', 'last' (no version
-- is active), 'held' (pgvec.hold_version), 'feeding' (chunks written through it still wait to be carried), 'not exported'
-- (the collection wants a file first), 'broken' (the chunk table was dropped or renamed by hand), 'in use' (something
-- of the host's depends on it), 'still read'. Raises PV001, PV002.
CREATE OR REPLACE FUNCTION pgvec.refuse_retirement(collection text, model_version text, ignore_readers boolean DEFAULT false,
                                                   OUT reason text, OUT detail text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    wants pgvec.retirement_setting := pgvec.retirement_wishes(collection);
    h pgvec.retirement_hold;
    waiting bigint;
    seen record;
BEGIN
    IF v.state = 'active' THEN
        reason := 'active';
        RETURN;
    ELSIF v.state NOT IN ('draining', 'abandoned') OR v.dropped_at IS NOT NULL THEN
        reason := 'not due';
        detail := format('it is %s', v.state);
        RETURN;
    ELSIF v.retire_at > clock_timestamp() THEN
        reason := 'in grace';
        detail := format('until %s', v.retire_at);
        RETURN;
    ELSIF v.state = 'draining' AND pgvec.active_version(collection) IS NULL THEN
        reason := 'last';
        RETURN;
    END IF;
    SELECT k.* INTO h FROM pgvec.retirement_hold k WHERE k.collection = v.collection AND k.model_version = v.model_version;
    IF FOUND THEN
        reason := 'held';
        detail := format('by %s since %s: %s', h.held_by, h.held_at, h.reason);
        RETURN;
    END IF;
    SELECT count(*) INTO waiting FROM pgvec.work_item w WHERE w.collection = v.collection AND w.source_version = v.model_version;
    IF waiting > 0 THEN
        reason := 'feeding';
        detail := format('%s work items', waiting);
        RETURN;
    END IF;
    SELECT k.reason, k.detail INTO reason, detail FROM pgvec.refuse_leaf_drop(collection, model_version) k;
    IF reason IS NOT NULL THEN
        RETURN;
    END IF;
    -- What was never active was never worth keeping, and nobody reads it: its pinned view is gone.
    IF v.state = 'abandoned' THEN
        RETURN;
    END IF;
    IF wants.on_retire = 'export' AND NOT EXISTS (SELECT FROM pgvec.archive a WHERE a.collection = v.collection AND a.model_version = v.model_version
                                                     AND a.kind = 'file' AND a.archived_at > v.draining_at) THEN
        reason := 'not exported';
        RETURN;
    END IF;
    IF NOT ignore_readers AND wants.read_window > interval '0' THEN
        SELECT r.read_at, r.evidence INTO seen FROM pgvec.last_read(collection, model_version) r;
        IF seen.read_at > clock_timestamp() - wants.read_window THEN
            reason := 'still read';
            detail := format('%s, last at %s', seen.evidence, seen.read_at);
        END IF;
    END IF;
END
$$;
