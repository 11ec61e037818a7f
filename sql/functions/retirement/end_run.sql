-- Ends a run of pgvec.retire_due: deletes what would pile up, and writes the run's end and outcome to its row.
-- Arguments:
--   alone    the run held the lock until its end; another run does the work otherwise
--   failed   a version could not be retired for a reason that an operator has to clear
CREATE OR REPLACE FUNCTION pgvec.end_run(run bigint, alone boolean, failed boolean)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rows_pruned bigint := 0;
BEGIN
    IF alone THEN
        rows_pruned := pgvec.prune_retirement(run);
    END IF;
    UPDATE pgvec.retirement_run r
       SET ended_at = clock_timestamp(), pruned = rows_pruned,
           outcome = CASE WHEN NOT alone THEN 'left to another run' WHEN failed THEN 'failed' ELSE 'succeeded' END
     WHERE r.run_id = run;
END
$$;
