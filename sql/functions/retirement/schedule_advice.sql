-- What to do when pg_cron is not in this database, as text: the statement to run in the database that pg_cron runs in,
-- or without pg_cron, the lines for another scheduler.
CREATE OR REPLACE FUNCTION pgvec.schedule_advice(schedule text)
RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    elsewhere CONSTANT text := pgvec.cron_elsewhere();
BEGIN
    IF elsewhere IS NOT NULL THEN
        RETURN format(E'pg_cron is in database %1$s of this server; pgvec schedule does it, or run there:\n'
                      '  SELECT cron.schedule_in_database(%2$L, %3$L, %4$L, %5$L);',
                      elsewhere, 'pgvec-retire ' || current_database(), schedule, 'CALL pgvec.retire_due()',
                      current_database());
    END IF;
    RETURN format(E'pg_cron is not in this database; put one of these where your jobs run '
                  '(pgvec schedule prints them whole):\n'
                  '  cron:       %1$s pgvec retire   (with PGVEC_DATABASE_URL=… in a line above)\n'
                  '  psql:       PGSERVICE=… psql -c "CALL pgvec.retire_due()"  (no URL here: ps shows it)\n'
                  '  systemd:    a timer that runs: pgvec retire\n'
                  '  Kubernetes: a CronJob with schedule: "%1$s" and command: ["pgvec", "retire"]', schedule);
END
$$;
