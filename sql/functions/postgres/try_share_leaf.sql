-- Keeps an index build of a leaf from beginning before this transaction has ended, by the lock of a writer of rows.
-- Never waits: false while the index is built or a build waits to begin, and then nothing must be written to the leaf.
-- Whoever calls it needs INSERT, UPDATE or DELETE on the leaf: nobody else can stand in the way of a build like this.
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
