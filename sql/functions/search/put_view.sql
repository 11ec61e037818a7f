-- Creates or replaces a read-only view over one version, and returns it; a write through it is refused with a hint
-- where to write.
-- Promises: security_invoker is set again each time, or it would be lost; security_barrier is never set, because it
-- disables the index. Grants and dependent views stay, except when a column went away: then the view is created anew,
-- the next apply_grants brings its recorded grants, and a host's view that depends on it raises 2BP01.
-- Arguments:
--   remembered  the view that was made here before: only this one is replaced, never another with its name
-- Raises: PV004, PV007 (see pgvec.own_view), 2BP01, 55P03 (lock).
CREATE OR REPLACE FUNCTION pgvec.put_view(host_schema text, view_name text, collection text, source text,
                                          remembered regclass)
RETURNS regclass LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    whole_name CONSTANT text := format('%I.%I', host_schema, view_name);
    definition CONSTANT text := format('VIEW %s WITH (security_invoker = true) AS %s', whole_name, source);
    ours regclass := pgvec.own_view(collection, remembered, whole_name);
    old_timeout CONSTANT text := pgvec.default_lock_wait();
BEGIN
    IF ours IS NOT NULL THEN
        BEGIN
            EXECUTE 'CREATE OR REPLACE ' || definition;
        EXCEPTION WHEN invalid_table_definition THEN
            EXECUTE format('DROP VIEW %s', ours);
            ours := NULL;
        END;
    END IF;
    IF ours IS NULL THEN
        -- Without OR REPLACE: it does not replace a view of a session that takes the name at this moment either.
        BEGIN
            EXECUTE 'CREATE ' || definition;
        EXCEPTION WHEN duplicate_table OR unique_violation THEN
            PERFORM pgvec.raise_error('PV004', format('the name %s was taken just now.', whole_name),
                jsonb_build_object('collection', collection, 'relation', whole_name),
                'Rename or drop the relation that has it.');
        END;
        ours := whole_name::regclass;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = ours AND t.tgname = 'pgvec_read_only') THEN
        EXECUTE format('CREATE TRIGGER pgvec_read_only INSTEAD OF INSERT OR UPDATE OR DELETE ON %s '
                       'FOR EACH ROW EXECUTE FUNCTION pgvec.refuse_view_write(%L)', ours, collection);
    END IF;
    PERFORM set_config('lock_timeout', old_timeout, true);
    RETURN ours;
END
$$;
