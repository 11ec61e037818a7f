-- Schedules CALL pgvec.retire_due() with pg_cron, if pg_cron is in this database; a second call changes the schedule
-- and leaves one job. Without pg_cron here, it changes nothing and says what to do instead (pgvec.schedule_advice).
-- Returns what it did and which job that replaces, or what to do, as text.
-- Arguments:
--   schedule   five fields as in cron, or 'N seconds'
-- Raises: PV007 (no schedule, see pgvec.refuse_schedule; or pg_cron refuses it), 42501 (no right to use pg_cron).
CREATE OR REPLACE FUNCTION pgvec.schedule_retirement(schedule text DEFAULT '17 * * * *')
RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    cron CONSTANT regnamespace := pgvec.cron_schema();
    before CONSTANT jsonb := pgvec.retirement_job();
    job bigint;
BEGIN
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint) FROM pgvec.refuse_schedule(schedule) r;
    IF cron IS NULL THEN
        RETURN pgvec.schedule_advice(schedule);
    END IF;
    BEGIN
        EXECUTE format('SELECT %s.schedule($1::text, $2::text, $3::text)', cron)
           INTO job USING 'pgvec-retire', schedule, 'CALL pgvec.retire_due()';
        -- pg_cron names a job by its name and its user, so the job of another user is a second one. And a job that was
        -- switched off stays off when it is scheduled again.
        EXECUTE format($q$
            SELECT %1$s.alter_job($1, active => true),
                   (SELECT count(%1$s.unschedule(j.jobid))
                      FROM %1$s.job j
                     WHERE j.jobname = $2 AND j.database = current_database() AND j.jobid <> $1)
        $q$, cron) USING job, 'pgvec-retire';
    EXCEPTION WHEN insufficient_privilege THEN
        PERFORM pgvec.raise_error('42501', format('role %s may not use pg_cron.', current_user),
            jsonb_build_object('role', current_user, 'schema', cron),
            format('Ask a superuser to run in database %1$I: GRANT USAGE ON SCHEMA %2$s TO %3$I; '
                   'GRANT EXECUTE ON FUNCTION %2$s.alter_job TO %3$I;', current_database(), cron, current_user));
    WHEN invalid_parameter_value OR data_exception OR internal_error THEN
        PERFORM pgvec.raise_error('PV007', format('pg_cron does not take the schedule %L.', schedule),
            jsonb_build_object('schedule', schedule),
            'Five fields as in cron, or "N seconds" with N from 1 to 59.');
    END;
    PERFORM pgvec.log_event('*', NULL, 'schedule_retirement', NULL, NULL,
        jsonb_strip_nulls(jsonb_build_object('schedule', schedule, 'job', job, 'replaced', before -> 'schedule')));
    RETURN format('pg_cron job %s: CALL pgvec.retire_due() at %s.%s', job, schedule,
                  pgvec.replaced_job(before, job, schedule));
END
$$;
