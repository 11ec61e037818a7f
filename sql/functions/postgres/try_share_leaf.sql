-- Keeps an index build of a leaf from starting before this transaction ends: takes the lock of a writer of rows, and
-- never waits for it. Returns false while a build runs or waits to start; the caller must not write to the leaf then.
-- The current role needs INSERT, UPDATE or DELETE on the leaf, so no other role can block a build with this.
CREATE OR REPLACE FUNCTION pgvec.try_share_leaf(leaf regclass)
RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF leaf IS NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('LOCK TABLE ONLY %s IN ROW EXCLUSIVE MODE NOWAIT', leaf);
    RETURN true;
EXCEPTION WHEN lock_not_available THEN
    RETURN false;
END
$$;
