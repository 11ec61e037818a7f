-- The database that pg_cron runs in, if it is another one of this server. NULL if it is this one, without pg_cron, and
-- for a role that cannot read the setting.
CREATE OR REPLACE FUNCTION pgvec.cron_elsewhere()
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT nullif(s.setting, current_database()) FROM pg_catalog.pg_settings s WHERE s.name = 'cron.database_name';
$$;
