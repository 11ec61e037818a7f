-- Restores the caller's settings to what they were before begin.sql.
SET LOCAL check_function_bodies = on;
SELECT pg_catalog.set_config('lock_timeout', pg_catalog.current_setting('pgvec.saved_lock_timeout'), true);
SELECT pg_catalog.set_config('pgvec.saved_lock_timeout', '', true);
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('pgvec.saved_search_path'), true);
SELECT pg_catalog.set_config('pgvec.saved_search_path', '', true);
