-- Drops a view that put_view made, by its remembered OID and never by its name; does nothing when it is gone.
-- Raises: PV004 (the view has another owner), 2BP01 (a host object depends on it), 55P03 (lock).
CREATE OR REPLACE FUNCTION pgvec.drop_own_view(collection text, remembered regclass)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old_timeout text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_class t WHERE t.oid = remembered AND t.relkind = 'v') THEN
        RETURN;
    END IF;
    PERFORM pgvec.refuse_foreign_owner(collection, remembered);
    old_timeout := pgvec.default_lock_wait();
    EXECUTE format('DROP VIEW %s', remembered);
    PERFORM set_config('lock_timeout', old_timeout, true);
END
$$;
