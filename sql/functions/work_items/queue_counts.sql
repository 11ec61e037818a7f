-- How much work there is for the named versions. For workers and the owner.
--   open         items that are to be done, claimed ones among them
--   held         of these, up to the item newest: what another worker holds, or rests after a failure
--   set_aside    items that failed too often
--   next_in      seconds until the next open item can be claimed; held_for: until the next held one can
--   newest_item  the highest item number, 0 without any
-- Raises PV001, 42501 (no worker of this collection).
CREATE OR REPLACE FUNCTION pgvec.queue_counts(collection text, versions text[], newest bigint DEFAULT NULL)
RETURNS TABLE (open bigint, held bigint, set_aside bigint, next_in float8, held_for float8, newest_item bigint)
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT n.* FROM jsonb_to_record(pgvec.ask_door('queue', $1, 'queue_counts',
                                                   jsonb_build_object('versions', $2, 'newest', $3)))
        AS n (open bigint, held bigint, set_aside bigint, next_in float8, held_for float8, newest_item bigint);
$$;
