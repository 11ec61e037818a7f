-- Retires one version for a run of pgvec.retire_due: calls pgvec.retire_version, reports its answer as a notice, and
-- adds it to the row of the run. Returns 'retired', or why the version stays.
CREATE OR REPLACE FUNCTION pgvec.retire_in_run(run bigint, collection text, model_version text, lock_timeout interval,
                                               attempts integer, ignore_readers boolean)
RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    outcome text;
    entry jsonb;
BEGIN
    outcome := pgvec.retire_version(collection, model_version, lock_timeout, attempts, ignore_readers);
    IF outcome = 'active' THEN
        outcome := 'rolled back';
    END IF;
    RAISE NOTICE 'version % of %: %', model_version, collection, outcome;
    -- The newest event adds its details, if there is one. No event can stop the job or change the outcome.
    entry := coalesce((SELECT e.detail - 'reason'
                         FROM pgvec.version_event e
                        WHERE e.collection = retire_in_run.collection
                          AND e.model_version = retire_in_run.model_version
                          AND e.verb IN ('retire', 'retire_refused') AND jsonb_typeof(e.detail) = 'object'
                        ORDER BY e.event_id DESC LIMIT 1), '{}')
          || jsonb_build_object('collection', collection, 'model_version', model_version, 'outcome', outcome);
    IF outcome = 'retired' THEN
        UPDATE pgvec.retirement_run r SET did = r.did || jsonb_build_array(entry) WHERE r.run_id = run;
    ELSE
        UPDATE pgvec.retirement_run r SET refused = r.refused || jsonb_build_array(entry) WHERE r.run_id = run;
    END IF;
    RETURN outcome;
END
$$;
