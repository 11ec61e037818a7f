-- Why the leaf of a version must stay although the version itself is done, or NULLs when it may go. These are four of
-- the reasons of pgvec.refuse_retirement: 'held' (pgvec.hold_version), 'feeding' (writes through this version still
-- wait to be carried), and those of pgvec.refuse_leaf_drop.
-- Raises: PV001, PV002.
CREATE OR REPLACE FUNCTION pgvec.refuse_removal(collection text, model_version text, OUT reason text, OUT detail text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
BEGIN
    SELECT 'held', format('by %s since %s: %s', h.held_by, h.held_at, h.reason) INTO reason, detail
      FROM pgvec.retirement_hold h
     WHERE h.collection = v.collection AND h.model_version = v.model_version;
    IF FOUND THEN
        RETURN;
    END IF;
    SELECT 'feeding', format('%s work items', count(*)) INTO reason, detail
      FROM pgvec.work_item w
     WHERE w.collection = v.collection AND w.source_version = v.model_version
    HAVING count(*) > 0;
    IF FOUND THEN
        RETURN;
    END IF;
    SELECT r.reason, r.detail INTO reason, detail FROM pgvec.refuse_leaf_drop(collection, model_version) r;
END
$$;
