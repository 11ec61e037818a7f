-- The schema in which pg_cron's tables stand, or NULL without pg_cron. Promise: a schema or a table that only bears the
-- name is never believed: both tables belong to the extension itself, which nobody but a superuser can bring about.
CREATE OR REPLACE FUNCTION pgvec.cron_schema()
RETURNS regnamespace LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.relnamespace::regnamespace
      FROM pg_catalog.pg_extension e
      JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
       AND d.classid = 'pg_class'::regclass
      JOIN pg_catalog.pg_class c ON c.oid = d.objid
     WHERE e.extname = 'pg_cron' AND c.relname IN ('job', 'job_run_details') AND c.relkind = 'r'
     GROUP BY c.relnamespace HAVING count(*) = 2;
$$;
