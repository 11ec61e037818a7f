-- name: installed_version
-- The highest installed catalog version. Fails with 42P01 or 3F000 when there is no catalog.
SELECT max(version) FROM pgvec.catalog_version

-- name: catalog_exists
SELECT to_regclass('pgvec.catalog_version') IS NOT NULL
