-- Whether a version's state, or the time, keeps it from retirement: a reason and its detail, or NULLs. These are four
-- of the reasons of pgvec.refuse_retirement: 'active', 'not due' (building, ready or already gone), 'in grace' (before
-- its retire_at), 'last' (the collection has no active version).
-- Raises: PV001, PV002.
CREATE OR REPLACE FUNCTION pgvec.refuse_early_retirement(collection text, model_version text,
                                                         OUT reason text, OUT detail text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
BEGIN
    IF v.state = 'active' THEN
        reason := 'active';
    ELSIF v.state NOT IN ('draining', 'abandoned') OR v.dropped_at IS NOT NULL THEN
        reason := 'not due';
        detail := format('it is %s', v.state);
    ELSIF v.retire_at > clock_timestamp() THEN
        reason := 'in grace';
        detail := format('until %s', v.retire_at);
    ELSIF v.state = 'draining' AND pgvec.active_version(collection) IS NULL THEN
        reason := 'last';
    END IF;
END
$$;
