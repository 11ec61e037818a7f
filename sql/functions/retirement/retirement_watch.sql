-- What you need to watch retirement, in one object: the last runs, the last success, what is due, the holds, and the
-- job if pg_cron is in this database (pgvec.retirement_job). Changes nothing.
CREATE OR REPLACE FUNCTION pgvec.retirement_watch()
RETURNS jsonb LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last_run CONSTANT jsonb := (
        SELECT to_jsonb(r) FROM pgvec.retirement_run r
         WHERE r.outcome <> 'left to another run' ORDER BY r.run_id DESC LIMIT 1);
    last_success CONSTANT jsonb := (
        SELECT to_jsonb(r) FROM pgvec.retirement_run r
         WHERE r.outcome = 'succeeded' ORDER BY r.run_id DESC LIMIT 1);
    last_retired CONSTANT jsonb := (
        SELECT to_jsonb(r) FROM pgvec.retirement_run r
         WHERE r.did <> '[]' ORDER BY r.run_id DESC LIMIT 1);
    last_starts CONSTANT jsonb := (
        SELECT coalesce(jsonb_agg(k.started_at ORDER BY k.started_at), '[]')
          FROM (SELECT r.started_at FROM pgvec.retirement_run r ORDER BY r.run_id DESC LIMIT 10) k);
BEGIN
    RETURN jsonb_build_object(
        'now', clock_timestamp(),
        'cron_here', pgvec.cron_schema() IS NOT NULL, 'cron_elsewhere', pgvec.cron_elsewhere(),
        'job', pgvec.retirement_job(),
        'versions', (SELECT count(*) FROM pgvec.model_version),
        'runs', (SELECT count(*) FROM pgvec.retirement_run),
        'last', last_run, 'last_success', last_success, 'last_retired', last_retired,
        'open_since', (SELECT min(r.started_at) FROM pgvec.retirement_run r WHERE r.ended_at IS NULL),
        'starts', last_starts,
        'due', (SELECT coalesce(jsonb_agg(to_jsonb(p)), '[]') FROM pgvec.retirement_plan() p),
        'holds', (SELECT coalesce(jsonb_agg(to_jsonb(h) ORDER BY h.held_at), '[]') FROM pgvec.retirement_hold h));
END
$$;
