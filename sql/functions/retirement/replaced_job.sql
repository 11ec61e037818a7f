-- Says which job a schedule replaces, as a sentence after what was done, or that it was there already. Empty without
-- one.
-- Arguments:
--   before  the job as it was: jobid, schedule, active and username
CREATE OR REPLACE FUNCTION pgvec.replaced_job(before jsonb, job bigint, schedule text)
RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN coalesce(jsonb_typeof($1), 'null') = 'null' THEN ''
                WHEN b.same_job AND b.active AND b.schedule = $3 THEN ' It was there already: nothing was changed.'
                ELSE format(' It replaces the job at %s%s%s.', b.schedule,
                            CASE WHEN NOT b.active THEN ', which was inactive' END,
                            CASE WHEN NOT b.same_job THEN format(', which ran as %s', $1 ->> 'username') END) END
      FROM (SELECT coalesce($1 ->> 'jobid' = $2::text, false), coalesce($1 -> 'active' = 'true', false),
                   $1 ->> 'schedule') b (same_job, active, schedule);
$$;
