-- Prolongs a lease that has not run out. Returns the number of items it still holds; 0 means that it is lost.
-- SECURITY DEFINER, like release_work, postpone_work and fail_work: the lease id, which claim_work gave to one caller
-- alone and nobody can guess, is the right to these items and to no others.
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
