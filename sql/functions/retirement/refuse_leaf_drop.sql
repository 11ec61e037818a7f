-- Whether something outside pgvec keeps a version's leaf and pinned view from going: a reason and its detail, or NULLs.
-- These are two of the reasons of pgvec.refuse_retirement: 'broken' (somebody dropped or renamed the chunk table), and
-- 'in use' (something depends on the view, or on the leaf if it will be dropped and not archived).
-- Raises: PV001, PV002.
CREATE OR REPLACE FUNCTION pgvec.refuse_leaf_drop(collection text, model_version text, OUT reason text, OUT detail text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    is_kept CONSTANT boolean := v.state = 'draining'
                                AND (pgvec.retirement_settings(collection)).on_retire = 'archive';
    dropped_leaf CONSTANT regclass := CASE WHEN NOT is_kept THEN to_regclass(format('pgvec_leaves.%I', v.leaf)) END;
BEGIN
    SELECT r.message INTO detail FROM pgvec.refuse_lost_table(collection) r;
    IF FOUND THEN
        reason := 'broken';
        RETURN;
    END IF;
    SELECT string_agg(d.dependent, '; ' ORDER BY d.dependent) INTO detail
      FROM pgvec.host_dependents(ARRAY[v.pinned_relation, dropped_leaf]
               || ARRAY(SELECT a.old_view FROM pgvec.adoption a
                         WHERE a.collection = v.collection AND a.model_version = v.model_version)) d;
    IF detail IS NOT NULL THEN
        reason := 'in use';
    END IF;
END
$$;
