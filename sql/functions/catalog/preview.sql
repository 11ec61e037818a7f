-- Shows what a verb would do, and what prevents it: its dry run.
-- Promises: changes nothing, takes no lock that anybody waits for. The answer is true at this moment; the verb checks
-- again itself, under its locks.
-- Arguments:
--   verb           create_collection, drop_collection, register_version, plan_backfill, build_index, make_ready,
--                  cut_over, roll_back, abandon, pause, resume, retry_set_aside or retire_due
--   collection     NULL means all of them, for retire_due only
--   model_version  by default what roll_back goes back to, what retire_due finds due, and all for retry_set_aside
--   arguments      other arguments of the verb that should be judged too; see pgvec.refusals
-- Shape: rows of kind 'does', in the order in which it happens, and 'in the way'. Without a row 'in the way' the verb
-- succeeds.
-- Raises: PV001, PV002, PV007 (no such verb, or a version is needed).
CREATE OR REPLACE FUNCTION pgvec.preview(verb text, collection text, model_version text DEFAULT NULL,
                                         host_schema text DEFAULT current_schema(), arguments jsonb DEFAULT '{}')
RETURNS TABLE (kind text, what text, detail jsonb) LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    label CONSTANT text := coalesce(model_version,
                                    CASE verb WHEN 'roll_back' THEN pgvec.previous_version(collection) END);
    refused record;
BEGIN
    -- First, because it raises when a name is wrong.
    SELECT array_agg(w.what) AS what, array_agg(w.data) AS data INTO refused
      FROM pgvec.refusals(verb, collection, label, host_schema, arguments) r
     CROSS JOIN LATERAL pgvec.explain_refusal(r.message, r.detail, r.hint) w;
    CASE verb
        WHEN 'create_collection' THEN
            RETURN QUERY SELECT 'does', d.* FROM pgvec.describe_create_collection(collection, host_schema) d;
        WHEN 'drop_collection' THEN RETURN QUERY SELECT 'does', d.* FROM pgvec.describe_drop_collection(collection) d;
        WHEN 'register_version' THEN
            RETURN QUERY SELECT 'does', d.* FROM pgvec.describe_register_version(collection, label) d;
        WHEN 'plan_backfill' THEN
            RETURN QUERY SELECT 'does', d.* FROM pgvec.describe_plan_backfill(collection, label) d;
        WHEN 'build_index' THEN RETURN QUERY SELECT 'does', d.* FROM pgvec.describe_build_index(collection, label) d;
        WHEN 'make_ready' THEN RETURN QUERY SELECT 'does', d.* FROM pgvec.describe_make_ready(collection, label) d;
        WHEN 'cut_over' THEN RETURN QUERY SELECT 'does', d.* FROM pgvec.describe_switch(collection, label) d;
        WHEN 'roll_back' THEN RETURN QUERY SELECT 'does', d.* FROM pgvec.describe_roll_back(collection, label) d;
        WHEN 'abandon' THEN RETURN QUERY SELECT 'does', d.* FROM pgvec.describe_abandon(collection, label) d;
        WHEN 'pause' THEN RETURN QUERY SELECT 'does', d.* FROM pgvec.describe_pause(collection, label) d;
        WHEN 'resume' THEN RETURN QUERY SELECT 'does', d.* FROM pgvec.describe_resume(collection, label) d;
        WHEN 'retry_set_aside' THEN
            RETURN QUERY SELECT 'does', d.* FROM pgvec.describe_retry_set_aside(collection, label) d;
        WHEN 'retire_due' THEN RETURN QUERY SELECT 'does', d.* FROM pgvec.describe_retire_due(collection, label) d;
    END CASE;
    RETURN QUERY SELECT 'in the way', w.* FROM unnest(refused.what, refused.data) w;
    IF verb = 'cut_over' OR (verb = 'roll_back' AND label IS DISTINCT FROM pgvec.active_version(collection)) THEN
        RETURN QUERY SELECT 'in the way', h.* FROM pgvec.switch_holders(collection) h;
    END IF;
END
$$;
