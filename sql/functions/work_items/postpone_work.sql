-- Gives claimed items back untried, to be claimed again after retry_in: the embedder is away, and no text is to blame.
-- Returns how many.
-- Raises: PV007 (retry_in).
-- SECURITY DEFINER: see renew_work.
CREATE OR REPLACE FUNCTION pgvec.postpone_work(lease uuid, error text, retry_in interval DEFAULT '5 seconds')
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    postponed bigint;
BEGIN
    PERFORM pgvec.check_interval('retry_in', retry_in, lowest => '-1 year');
    UPDATE pgvec.work_item w
       SET lease = NULL, leased_until = clock_timestamp() + retry_in, attempts = greatest(w.attempts - 1, 0),
           last_error = left(error, 2000)
     WHERE w.lease = postpone_work.lease;
    GET DIAGNOSTICS postponed = ROW_COUNT;
    RETURN postponed;
END
$$;
