-- Before the files of the catalog: one installation at a time, pgvector's names found wherever the
-- extension was put, and the caller's search_path kept for the end. No statement here but the first two is
-- looked up by the caller's search_path, and those two name everything with its schema.
SELECT pg_catalog.set_config('pgvec.saved_search_path', pg_catalog.current_setting('search_path'), true);
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
SELECT pg_advisory_xact_lock(1885824358, 3);
SELECT set_config('search_path', 'pg_catalog, ' || coalesce((SELECT quote_ident(n.nspname)
    FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
    WHERE e.extname = 'vector') || ', ', '') || 'pg_temp', true);
SET LOCAL check_function_bodies = off;
