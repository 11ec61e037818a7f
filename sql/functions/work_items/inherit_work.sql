-- For a version that starts to follow writes: gives it a copy of each work item by which other versions still carry
-- changes to the versions that it is compared with. Call it under the writers' lock.
-- Returns the number of work items.
-- Raises: PV001 (no such collection), PV002 (no such version). Why: those changes were written before the version
-- followed, so that no trigger has planned them for it.
CREATE OR REPLACE FUNCTION pgvec.inherit_work(collection text, model_version text)
RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    inherited bigint;
BEGIN
    INSERT INTO pgvec.work_item AS k (collection, source_version, model_version, lo, hi)
    SELECT w.collection, w.source_version, inherit_work.model_version, w.lo, w.hi
      FROM pgvec.work_item w
      JOIN pgvec.reference_versions(inherit_work.collection, inherit_work.model_version) r
        ON r.model_version = w.model_version
     WHERE w.collection = inherit_work.collection AND w.source_version <> inherit_work.model_version
     GROUP BY w.collection, w.source_version, w.lo, w.hi
    ON CONFLICT ON CONSTRAINT work_item_collection_model_version_source_version_lo_hi_key DO UPDATE
       SET revision = k.revision + 1, lease = NULL, leased_until = NULL, attempts = 0, last_error = NULL,
           set_aside_at = NULL;
    GET DIAGNOSTICS inherited = ROW_COUNT;
    RETURN inherited;
END
$$;
