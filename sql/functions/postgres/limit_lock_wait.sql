-- Sets lock_timeout, for this transaction, to what is left until the deadline (1 ms at least): several locks in a row
-- then wait no longer together than one may alone.
CREATE OR REPLACE FUNCTION pgvec.limit_lock_wait(deadline timestamptz)
RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT set_config('lock_timeout', greatest(1, ceil(extract(epoch FROM deadline - clock_timestamp()) * 1000))::bigint::text, true);
$$;
