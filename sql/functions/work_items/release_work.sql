-- Gives claimed items back untried: the next worker can claim them at once. For Ctrl-C, and for a leaf that is busy.
-- Returns how many.
-- SECURITY DEFINER: see renew_work.
CREATE OR REPLACE FUNCTION pgvec.release_work(lease uuid)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    released bigint;
BEGIN
    UPDATE pgvec.work_item w
       SET lease = NULL, leased_until = NULL, attempts = greatest(w.attempts - 1, 0)
     WHERE w.lease = release_work.lease;
    GET DIAGNOSTICS released = ROW_COUNT;
    RETURN released;
END
$$;
