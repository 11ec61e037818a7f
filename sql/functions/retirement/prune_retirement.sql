-- Deletes what would pile up: runs of pgvec.retire_due after 30 days (never the last success), its rows of pg_cron's
-- job_run_details after a week, work items of versions that are gone (10,000 a run), and tombstones that hold nothing
-- back any more. Marks a run that was killed as failed. Returns how many rows it deleted.
-- Arguments:
--   own_run   the run that calls this; it has not ended yet
CREATE OR REPLACE FUNCTION pgvec.prune_retirement(own_run bigint DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    runs bigint;
    items bigint;
    cron_runs bigint := 0;
    cron CONSTANT regnamespace := pgvec.cron_schema();
    cron_table CONSTANT text := cron || '.job_run_details';
BEGIN
    UPDATE pgvec.retirement_run r
       SET ended_at = clock_timestamp(), outcome = 'failed'
     WHERE r.ended_at IS NULL AND r.run_id IS DISTINCT FROM own_run
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a
                        WHERE a.pid = r.pid AND a.backend_start <= r.started_at);
    DELETE FROM pgvec.retirement_run r
     WHERE r.started_at < clock_timestamp() - interval '30 days'
       AND r.run_id < (SELECT max(k.run_id) FROM pgvec.retirement_run k WHERE k.outcome = 'succeeded');
    GET DIAGNOSTICS runs = ROW_COUNT;
    DELETE FROM pgvec.work_item w
     WHERE w.item_id IN (
        SELECT i.item_id
          FROM pgvec.work_item i
         WHERE NOT EXISTS (SELECT FROM pgvec.model_version v
                            WHERE v.collection = i.collection AND v.model_version = i.model_version
                              AND v.state IN ('building', 'ready', 'active', 'draining'))
         LIMIT 10000 FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS items = ROW_COUNT;
    IF has_schema_privilege(cron, 'USAGE') AND has_table_privilege(cron_table, 'SELECT')
       AND has_table_privilege(cron_table, 'DELETE') THEN
        EXECUTE format('DELETE FROM %s d WHERE d.database = current_database() AND d.command = $1 '
                       'AND d.end_time < clock_timestamp() - $2', cron_table)
          USING 'CALL pgvec.retire_due()', interval '7 days';
        GET DIAGNOSTICS cron_runs = ROW_COUNT;
    END IF;
    RETURN runs + items + cron_runs
        + coalesce((SELECT sum(pgvec.prune_tombstones(c.collection)) FROM pgvec.collection c), 0);
END
$$;
