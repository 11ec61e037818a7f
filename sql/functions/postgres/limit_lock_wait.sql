-- Sets lock_timeout, for this transaction, to the time that is left until the deadline (at least 1 ms). A caller that
-- needs several locks, and calls this before each, waits no longer for all of them than for one.
CREATE OR REPLACE FUNCTION pgvec.limit_lock_wait(deadline timestamptz)
RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT set_config('lock_timeout',
        greatest(1, ceil(extract(epoch FROM deadline - clock_timestamp()) * 1000))::bigint::text, true);
$$;
