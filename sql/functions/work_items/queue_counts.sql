-- Counts the work of the versions that you name. For workers and the owner.
-- Arguments:
--   newest  count as held only items up to this number
-- Shape: one row.
--   open         items to do, claimed ones among them
--   held         of these, items that another worker holds, or that wait after a failure
--   set_aside    items that failed too often
--   next_in      seconds until the next open item can be claimed
--   held_for     seconds until the next held item can be claimed
--   newest_item  the highest item number; 0 without any
-- Raises: PV001 (no such collection), 42501 (not a worker of this collection).
CREATE OR REPLACE FUNCTION pgvec.queue_counts(collection text, versions text[], newest bigint DEFAULT NULL)
RETURNS TABLE (open bigint, held bigint, set_aside bigint, next_in float8, held_for float8, newest_item bigint)
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT n.* FROM jsonb_to_record(pgvec.ask_door('queue', $1, 'queue_counts',
                                                   jsonb_build_object('versions', $2, 'newest', $3)))
        AS n (open bigint, held bigint, set_aside bigint, next_in float8, held_for float8, newest_item bigint);
$$;
