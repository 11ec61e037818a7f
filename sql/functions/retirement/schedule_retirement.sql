-- Puts CALL pgvec.retire_due() on a schedule with pg_cron, if it is in this database; calling it again changes the
-- schedule and leaves one job. With pg_cron in another database of this server it returns the statement to run there;
-- without pg_cron, the lines for another scheduler. It changes nothing in these two cases.
-- Returns what it did, or what to do, as text. Raises PV007 when pg_cron refuses the schedule.
CREATE OR REPLACE FUNCTION pgvec.schedule_retirement(schedule text DEFAULT '17 * * * *')
RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    job bigint;
    cron CONSTANT regnamespace := pgvec.cron_schema();
    elsewhere text := (SELECT nullif(s.setting, current_database()) FROM pg_catalog.pg_settings s WHERE s.name = 'cron.database_name');
BEGIN
    IF schedule IS NULL OR schedule !~ '^[^\n\r]{1,100}$' THEN
        PERFORM pgvec.raise_error('PV007', 'the schedule must be one line, such as 17 * * * * or 30 seconds.', jsonb_build_object('schedule', schedule));
    END IF;
    IF cron IS NULL THEN
        IF elsewhere IS NOT NULL THEN
            RETURN format(E'pg_cron is in database %1$s of this server; pgvec schedule does it, or run there:\n'
                          '  SELECT cron.schedule_in_database(%2$L, %3$L, %4$L, %5$L);', elsewhere, 'pgvec-retire ' || current_database(), schedule, 'CALL pgvec.retire_due()', current_database());
        END IF;
        RETURN format(E'pg_cron is not in this database; put one of these where your jobs run (pgvec schedule prints them whole):\n'
                      '  cron:       %s pgvec retire   (with PGVEC_DATABASE_URL=… in a line above)\n'
                      '  psql:       PGSERVICE=… psql -c "CALL pgvec.retire_due()"  (no URL here: ps shows it)\n'
                      '  systemd:    a timer that runs: pgvec retire\n'
                      '  Kubernetes: a CronJob with schedule: "%s" and command: ["pgvec", "retire"]', schedule, schedule);
    END IF;
    BEGIN
        EXECUTE format('SELECT %s.schedule($1::text, $2::text, $3::text)', cron)
           INTO job USING 'pgvec-retire', schedule, 'CALL pgvec.retire_due()';
        -- pg_cron keeps one job a name and user: the same name under another user would be a second job, and one that
        -- was switched off stays off.
        EXECUTE format('SELECT %1$s.alter_job($1, active => true), (SELECT count(%1$s.unschedule(j.jobid)) FROM %1$s.job j '
                       'WHERE j.jobname = $2 AND j.database = current_database() AND j.jobid <> $1)', cron)
          USING job, 'pgvec-retire';
    EXCEPTION WHEN invalid_parameter_value OR data_exception OR internal_error THEN
        PERFORM pgvec.raise_error('PV007', format('pg_cron does not take the schedule %L.', schedule), jsonb_build_object('schedule', schedule), 'Five fields as in cron, or "N seconds" with N from 1 to 59.');
    END;
    PERFORM pgvec.log_event('*', NULL, 'schedule_retirement', NULL, NULL, jsonb_build_object('schedule', schedule, 'job', job));
    RETURN format('pg_cron job %s: CALL pgvec.retire_due() at %s.', job, schedule);
END
$$;
