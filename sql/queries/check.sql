-- What pgvec check asks, in read-only transactions. All of it works without the catalog and without any right.

-- name: check_versions
SELECT current_setting('server_version') AS server_version,
       current_setting('server_version_num')::integer AS server_version_num,
       (SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'vector') AS vector_version,
       (SELECT a.default_version FROM pg_catalog.pg_available_extensions a WHERE a.name = 'vector') AS vector_available,
       (SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'pg_cron') AS cron_version,
       (SELECT s.setting FROM pg_catalog.pg_settings s WHERE s.name = 'cron.database_name') AS cron_database

-- name: check_rights
-- What the role may do, and who can give it what it lacks; names are quoted as SQL needs them.
SELECT quote_ident(current_user) AS role,
       quote_ident(current_database()) AS database,
       (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user) AS superuser,
       (SELECT quote_ident(pg_get_userbyid(d.datdba))
          FROM pg_catalog.pg_database d WHERE d.datname = current_database()) AS database_owner,
       has_database_privilege(current_database(), 'CREATE') AS creates_schemas,
       EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = 'vector') AS has_vector,
       (SELECT quote_ident(n.nspname)
          FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
         WHERE e.extname = 'vector' AND NOT has_schema_privilege(n.oid, 'USAGE')) AS closed_vector_schema,
       coalesce((SELECT a.trusted
                   FROM pg_catalog.pg_available_extension_versions a
                   JOIN pg_catalog.pg_available_extensions d ON d.name = a.name AND d.default_version = a.version
                  WHERE a.name = 'vector'), false) AS vector_trusted,
       quote_ident(current_schema()) AS host_schema,
       current_setting('search_path') AS search_path,
       (SELECT quote_ident(pg_get_userbyid(n.nspowner))
          FROM pg_catalog.pg_namespace n WHERE n.nspname = current_schema()) AS host_schema_owner,
       has_schema_privilege(current_schema(), 'CREATE') AS creates_tables,
       (SELECT quote_ident(pg_get_userbyid(n.nspowner))
          FROM pg_catalog.pg_namespace n WHERE n.nspname = 'pgvec') AS owner,
       (SELECT pg_has_role(n.nspowner, 'USAGE')
          FROM pg_catalog.pg_namespace n WHERE n.nspname = 'pgvec') AS owns_catalog,
       (SELECT has_schema_privilege(n.oid, 'USAGE')
          FROM pg_catalog.pg_namespace n WHERE n.nspname = 'pgvec') AS uses_catalog,
       coalesce((SELECT bool_and(has_schema_privilege(n.oid, 'USAGE') AND has_function_privilege(p.oid, 'EXECUTE'))
                   FROM pg_catalog.pg_extension e
                   JOIN pg_catalog.pg_namespace n ON n.nspname = 'cron'
                   JOIN pg_catalog.pg_proc p ON p.pronamespace = n.oid AND p.proname IN ('schedule', 'alter_job')
                  WHERE e.extname = 'pg_cron'), true) AS uses_cron

-- name: check_clock
SELECT clock_timestamp() AS server_time
