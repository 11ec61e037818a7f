-- Claims up to max_items open work items, of one source and one target among the versions that you name, for as long as
-- the lease lasts. All claimed rows carry the same lease id. Skips a version that is paused or whose index is being
-- built. Commit at once: the claim is the lease, never an open transaction. Keep the lease id to yourself: renew_work,
-- release_work, fail_work and the others act for anyone who knows it.
-- Arguments:
--   holder  {"pid", "since", "stays"}: the session that stands for this worker. With "stays": true the session lives as
--           long as the worker does, so that other workers take the items over as soon as it has ended. By default the
--           calling session, of which nothing is promised.
-- Shape: one row an item.
-- Raises: PV001 (no such collection), PV007 (lease), 42501 (not a worker of this collection).
CREATE OR REPLACE FUNCTION pgvec.claim_work(collection text, versions text[], max_items integer DEFAULT 1,
                                            lease interval DEFAULT '2 minutes', holder jsonb DEFAULT NULL)
RETURNS TABLE (item_id bigint, source_version text, model_version text, lo text, hi text, revision integer,
               attempts integer, lease_id uuid)
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT i.item_id, i.source_version, i.model_version, i.lo, i.hi, i.revision, i.attempts, i.lease_id
      FROM ROWS FROM (jsonb_to_recordset(pgvec.ask_door('queue', $1, 'claim_work',
               jsonb_build_object('versions', $2, 'max_items', $3, 'lease', $4, 'holder', coalesce($5,
                   (SELECT jsonb_build_object('pid', a.pid, 'since', a.backend_start)
                      FROM pg_stat_get_activity(pg_backend_pid()) a)))))
           AS (item_id bigint, source_version text, model_version text, lo text, hi text, revision integer,
               attempts integer, lease_id uuid)) WITH ORDINALITY i
     ORDER BY i.ordinality;
$$;
