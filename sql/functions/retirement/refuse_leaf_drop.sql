-- What of the host's keeps a version's leaf and pinned view from going, or nulls. Part of pgvec.refuse_retirement,
-- whose reasons these are: 'broken' (the chunk table was dropped or renamed by hand), 'in use' (something depends on
-- them; on a leaf that is archived it may). Raises PV001, PV002.
CREATE OR REPLACE FUNCTION pgvec.refuse_leaf_drop(collection text, model_version text, OUT reason text, OUT detail text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    is_kept CONSTANT boolean := v.state = 'draining' AND (pgvec.retirement_wishes(collection)).on_retire = 'archive';
BEGIN
    SELECT r.message INTO detail FROM pgvec.refuse_lost_table(collection) r;
    IF FOUND THEN
        reason := 'broken';
        RETURN;
    END IF;
    SELECT string_agg(d.dependent, '; ' ORDER BY d.dependent) INTO detail
      FROM pgvec.host_dependents(ARRAY[v.pinned_relation,
                                       CASE WHEN NOT is_kept
                                            THEN to_regclass(format('pgvec_leaves.%I', v.leaf)) END]) d;
    IF detail IS NOT NULL THEN
        reason := 'in use';
    END IF;
END
$$;
