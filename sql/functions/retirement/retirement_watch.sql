-- What watching needs, in one object: the last runs, the last success, what is due, and the job if pg_cron is in this
-- database: whether it is active, how its last run ended, whether its role may do what the job does.
-- Changes nothing.
CREATE OR REPLACE FUNCTION pgvec.retirement_watch()
RETURNS jsonb LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    job jsonb;
    elsewhere text := (SELECT nullif(s.setting, current_database()) FROM pg_catalog.pg_settings s WHERE s.name = 'cron.database_name');
    cron CONSTANT regnamespace := pgvec.cron_schema();
BEGIN
    IF has_schema_privilege(cron, 'USAGE') THEN
        EXECUTE format($q$
            SELECT jsonb_build_object('jobid', j.jobid, 'schedule', j.schedule, 'active', j.active, 'username', j.username,
                       'may_retire', pgvec.may_retire(j.username),
                       'last_status', d.status, 'last_message', d.return_message, 'last_at', d.start_time)
              FROM %1$s.job j
              LEFT JOIN LATERAL (SELECT k.status, k.return_message, k.start_time FROM %1$s.job_run_details k
                                  WHERE k.jobid = j.jobid AND k.status IN ('succeeded', 'failed') ORDER BY k.runid DESC LIMIT 1) d ON true
             WHERE j.jobname = $1 AND j.database = current_database() ORDER BY j.active DESC, j.jobid DESC LIMIT 1
        $q$, cron) INTO job USING 'pgvec-retire';
    END IF;
    RETURN jsonb_build_object(
        'now', clock_timestamp(), 'cron_here', cron IS NOT NULL, 'cron_elsewhere', elsewhere, 'job', job,
        'versions', (SELECT count(*) FROM pgvec.model_version),
        'runs', (SELECT count(*) FROM pgvec.retirement_run),
        'last', (SELECT to_jsonb(r) FROM pgvec.retirement_run r WHERE r.outcome <> 'left to another run' ORDER BY r.run_id DESC LIMIT 1),
        'last_success', (SELECT to_jsonb(r) FROM pgvec.retirement_run r WHERE r.outcome = 'succeeded' ORDER BY r.run_id DESC LIMIT 1),
        'last_retired', (SELECT to_jsonb(r) FROM pgvec.retirement_run r WHERE r.did <> '[]' ORDER BY r.run_id DESC LIMIT 1),
        'open_since', (SELECT min(r.started_at) FROM pgvec.retirement_run r WHERE r.ended_at IS NULL),
        'starts', (SELECT coalesce(jsonb_agg(k.started_at ORDER BY k.started_at), '[]') FROM (SELECT r.started_at FROM pgvec.retirement_run r ORDER BY r.run_id DESC LIMIT 10) k),
        'due', (SELECT coalesce(jsonb_agg(to_jsonb(p)), '[]') FROM pgvec.retirement_plan() p),
        'holds', (SELECT coalesce(jsonb_agg(to_jsonb(h) ORDER BY h.held_at), '[]') FROM pgvec.retirement_hold h));
END
$$;
