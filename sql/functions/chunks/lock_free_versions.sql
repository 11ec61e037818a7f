-- Does the work of pgvec.free_versions, behind the writers' door of a collection: a writer has no privilege on the
-- leaves. It takes the lock that a write through the chunk table takes anyway.
-- Shape: see pgvec.free_versions.
CREATE OR REPLACE FUNCTION pgvec.lock_free_versions(collection text)
RETURNS TABLE (model_version text, carries boolean)
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    WITH leaf AS MATERIALIZED (
        SELECT v.model_version, v.state <> 'abandoned' AS carries,
               to_regclass(format('pgvec_leaves.%I', v.leaf)) AS relation
          FROM pgvec.model_version v WHERE v.collection = $1 AND v.dropped_at IS NULL)
    SELECT l.model_version, l.carries FROM leaf l WHERE pgvec.try_share_leaf(l.relation);
$$;
