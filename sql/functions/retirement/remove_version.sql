-- Drops the objects of a version that retires, its pinned view first, and changes its state. The collection's settings
-- say whether the leaf is dropped or archived; the leaf of an abandoned version is always dropped.
-- Arguments:
--   v          the version, read under the locks that the caller holds: on the chunk table and on the collection's row
--   deadline   until when it waits for the locks on the view and on the leaf
-- Raises: 55P03; 2BP01 or 23503 when something depends on the view or on the leaf.
CREATE OR REPLACE FUNCTION pgvec.remove_version(v pgvec.model_version, deadline timestamptz)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    leaf CONSTANT text := format('pgvec_leaves.%I', v.leaf);
    on_retire CONSTANT text := CASE WHEN v.state = 'draining' AND to_regclass(leaf) IS NOT NULL
                                    THEN (pgvec.retirement_settings(v.collection)).on_retire
                                    ELSE 'drop' END;
    facts jsonb;
BEGIN
    -- A writer with an older snapshot still looks for the leaf. The new epoch ends it with 40001, so that it retries.
    UPDATE pgvec.collection c SET epoch = c.epoch + 1 WHERE c.collection = v.collection;
    facts := jsonb_build_object('bytes', pg_total_relation_size(to_regclass(leaf)), 'on_retire', on_retire);
    PERFORM pgvec.limit_lock_wait(deadline);
    PERFORM pgvec.drop_pinned_view(v.collection, v.model_version);
    PERFORM pgvec.limit_lock_wait(deadline);
    PERFORM pgvec.drop_intake(v.collection, v.model_version);
    IF on_retire = 'archive' THEN
        PERFORM pgvec.archive_leaf(v.collection, v.model_version);
    ELSE
        EXECUTE format('DROP TABLE IF EXISTS %s', leaf);
    END IF;
    PERFORM pgvec.limit_lock_wait(deadline);
    DELETE FROM pgvec.work_item w WHERE w.collection = v.collection AND w.model_version = v.model_version;
    DELETE FROM pgvec.leaf_reads r WHERE r.collection = v.collection AND r.model_version = v.model_version;
    IF v.state = 'draining' THEN
        PERFORM pgvec.change_state(v.collection, v.model_version, 'retire', 'retired', facts);
    ELSE
        UPDATE pgvec.model_version k
           SET dropped_at = clock_timestamp()
         WHERE k.collection = v.collection AND k.model_version = v.model_version;
        PERFORM pgvec.log_event(v.collection, v.model_version, 'retire', 'abandoned', 'abandoned', facts);
    END IF;
END
$$;
