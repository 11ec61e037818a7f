-- Prolongs a lease that has not run out.
-- Returns how many items it still holds; 0 means that it is lost.
-- Raises: PV007 (prolong).
-- SECURITY DEFINER: like release_work, postpone_work and fail_work. The lease id is the right to its items and to no
-- others: claim_work gave it to one caller, and it cannot be guessed.
CREATE OR REPLACE FUNCTION pgvec.renew_work(lease uuid, prolong interval DEFAULT '2 minutes')
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kept bigint;
BEGIN
    PERFORM pgvec.check_interval('prolong', prolong, lowest => '-1 year');
    UPDATE pgvec.work_item w SET leased_until = clock_timestamp() + prolong
     WHERE w.lease = renew_work.lease AND w.leased_until > clock_timestamp();
    GET DIAGNOSTICS kept = ROW_COUNT;
    RETURN kept;
END
$$;
