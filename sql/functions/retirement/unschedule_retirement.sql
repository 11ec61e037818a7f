-- Removes the pg_cron job of pgvec.schedule_retirement. Returns whether there was one.
CREATE OR REPLACE FUNCTION pgvec.unschedule_retirement()
RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    jobs bigint;
    cron CONSTANT regnamespace := pgvec.cron_schema();
BEGIN
    IF cron IS NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('SELECT count(%1$s.unschedule(j.jobid)) FROM %1$s.job j '
                   'WHERE j.jobname = $1 AND j.database = current_database() AND j.username = current_user', cron)
       INTO jobs USING 'pgvec-retire';
    IF jobs > 0 THEN
        PERFORM pgvec.log_event('*', NULL, 'unschedule_retirement');
    END IF;
    RETURN jobs > 0;
END
$$;
