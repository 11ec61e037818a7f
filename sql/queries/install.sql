-- name: installed_version
-- The highest installed catalog version. Fails with 42P01 or 3F000 when there is no catalog.
SELECT max(version) AS installed_version FROM pgvec.catalog_version

-- name: catalog_exists
-- Only a plain table counts: reading a view, or a table with policies, runs code of its owner.
SELECT EXISTS (SELECT FROM pg_catalog.pg_class c
                WHERE c.oid = pg_catalog.to_regclass('pgvec.catalog_version')
                  AND c.relkind = 'r' AND NOT c.relrowsecurity) AS catalog_exists
