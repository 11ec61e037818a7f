-- Lists why a verb would refuse now: every reason, in the order in which the verb checks, so that it raises the first.
-- Without a row the verb succeeds, as far as can be seen without its locks. pgvec.refuse_<verb> holds the rules, and
-- the verb asks it too. Changes nothing, takes no lock that anybody waits for.
-- Arguments:
--   arguments  the verb's other arguments to judge, by name: dimensions, m, ef_construction and embedder; distance,
--              storage, id_type and retire_after; force; allow_missing
-- Shape: SQLSTATE (null where nothing is raised, see pgvec.refuse_retire_due), MESSAGE, DETAIL and HINT.
-- Raises: PV001, PV002, PV007 (no such verb, or a version is needed).
CREATE OR REPLACE FUNCTION pgvec.refusals(verb text, collection text, model_version text DEFAULT NULL,
                                          host_schema text DEFAULT current_schema(), arguments jsonb DEFAULT '{}')
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    options CONSTANT jsonb := coalesce(arguments, '{}');
    label CONSTANT text := model_version;
BEGIN
    IF verb IN ('plan_backfill', 'build_index', 'make_ready', 'cut_over', 'abandon', 'pause', 'resume') THEN
        PERFORM pgvec.get_collection(collection);
        IF label IS NULL THEN
            PERFORM pgvec.raise_error('PV007', format('%s needs a version.', verb), jsonb_build_object('verb', verb),
                                      'Name it as the third argument.');
        END IF;
        PERFORM pgvec.get_version(collection, label);
    ELSIF verb IN ('drop_collection', 'register_version', 'roll_back', 'retry_set_aside')
          OR (verb = 'retire_due' AND collection IS NOT NULL) THEN
        PERFORM pgvec.get_collection(collection);
    END IF;
    CASE verb
        WHEN 'create_collection' THEN
            RETURN QUERY SELECT r.* FROM pgvec.refuse_create_collection(collection, host_schema, options) r;
        WHEN 'drop_collection' THEN RETURN QUERY SELECT r.* FROM pgvec.refuse_drop_collection(collection) r;
        WHEN 'register_version' THEN
            RETURN QUERY SELECT r.* FROM pgvec.refuse_register_version(collection, label, options) r;
        WHEN 'plan_backfill' THEN RETURN QUERY SELECT r.* FROM pgvec.refuse_plan_backfill(collection, label) r;
        WHEN 'build_index' THEN RETURN QUERY SELECT r.* FROM pgvec.refuse_build_index(collection, label) r;
        WHEN 'make_ready' THEN RETURN QUERY SELECT r.* FROM pgvec.refuse_make_ready(collection, label) r;
        WHEN 'cut_over' THEN
            RETURN QUERY SELECT r.* FROM pgvec.refuse_cut_over(collection, label, (options ->> 'force')::boolean) r;
        WHEN 'roll_back' THEN
            RETURN QUERY
            SELECT r.* FROM pgvec.refuse_roll_back(collection, label, (options ->> 'allow_missing')::boolean) r;
        WHEN 'abandon' THEN RETURN QUERY SELECT r.* FROM pgvec.refuse_abandon(collection, label) r;
        WHEN 'pause' THEN RETURN QUERY SELECT r.* FROM pgvec.refuse_state(collection, label, 'pause') r;
        WHEN 'retire_due' THEN RETURN QUERY SELECT r.* FROM pgvec.refuse_retire_due(collection, label) r;
        WHEN 'resume', 'retry_set_aside' THEN NULL;  -- nothing prevents them
        ELSE
            PERFORM pgvec.raise_error('PV007',
                format('%s is not a verb that changes something.', coalesce(verb, 'NULL')),
                jsonb_build_object('verb', verb));
    END CASE;
END
$$;
