-- The schema that holds pg_cron's tables, or NULL without pg_cron. Both tables must belong to the extension, and only a
-- superuser can make them. A schema or a table that only has the right name does not count.
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
