-- Takes the pg_cron job away. Returns whether there was one.
CREATE OR REPLACE FUNCTION pgvec.unschedule_retirement()
RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    jobs bigint;
BEGIN
    IF to_regclass('cron.job') IS NULL THEN
        RETURN false;
    END IF;
    EXECUTE 'SELECT count(cron.unschedule(j.jobid)) FROM cron.job j WHERE j.jobname = $1 AND j.database = current_database() AND j.username = current_user' INTO jobs USING 'pgvec-retire';
    IF jobs > 0 THEN
        PERFORM pgvec.log_event('*', NULL, 'unschedule_retirement');
    END IF;
    RETURN jobs > 0;
END
$$;
