-- The pg_cron job of pgvec.schedule_retirement, in one object: its schedule, whether it is active, how its last run
-- ended, and whether its role can do what the job does. NULL without a job, without pg_cron in this database, and for a
-- role that cannot use pg_cron's schema.
CREATE OR REPLACE FUNCTION pgvec.retirement_job()
RETURNS jsonb LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    cron CONSTANT regnamespace := pgvec.cron_schema();
    job jsonb;
BEGIN
    IF has_schema_privilege(cron, 'USAGE') THEN
        EXECUTE format($q$
            SELECT jsonb_build_object('jobid', j.jobid, 'schedule', j.schedule, 'active', j.active,
                       'username', j.username, 'may_retire', pgvec.may_retire(j.username),
                       'last_status', last_run.status, 'last_message', last_run.return_message,
                       'last_at', last_run.start_time)
              FROM %1$s.job j
              LEFT JOIN LATERAL (SELECT d.status, d.return_message, d.start_time
                                   FROM %1$s.job_run_details d
                                  WHERE d.jobid = j.jobid AND d.status IN ('succeeded', 'failed')
                                  ORDER BY d.runid DESC LIMIT 1) last_run ON true
             WHERE j.jobname = $1 AND j.database = current_database()
             ORDER BY j.active DESC, j.jobid DESC LIMIT 1
        $q$, cron) INTO job USING 'pgvec-retire';
    END IF;
    RETURN job;
END
$$;
