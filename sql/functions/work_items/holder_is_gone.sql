-- Whether the session that holds a claim has ended. False where you cannot know it: of a session that you may not see,
-- you know only the process id, and another session can have that by now.
-- Arguments:
--   holder  as in pgvec.work_item: pid and since, the start of the session
CREATE OR REPLACE FUNCTION pgvec.holder_is_gone(holder jsonb)
RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT h.pid IS NOT NULL AND h.since IS NOT NULL
       AND (h.since < pg_postmaster_start_time()
            OR NOT EXISTS (SELECT FROM pg_stat_get_activity(h.pid) a
                            WHERE a.backend_start = h.since OR a.backend_start IS NULL))
      FROM jsonb_to_record(CASE jsonb_typeof($1) WHEN 'object' THEN $1 ELSE '{}' END)
           AS h (pid integer, since timestamptz);
$$;
