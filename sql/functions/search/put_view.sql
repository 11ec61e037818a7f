-- Creates or replaces a view over one version, read-only: whoever writes through it is told where to write.
-- Promise: security_invoker is restated each time, or it would be lost; security_barrier is never set, it would disable
-- the index. Grants and dependent views stay, but when a column went away: then the view is made anew, its recorded
-- grants come with the next apply_grants, and a view of the host's that depends on it raises 2BP01.
-- Only the view that was made here before (remembered) is replaced, never one that bears its name.
-- Returns the view, to be remembered. Raises PV004, PV007 (see own_view), 55P03 (lock).
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
        -- Without OR REPLACE: of one who takes the name at this moment nothing is replaced either.
        BEGIN
            EXECUTE 'CREATE ' || definition;
        EXCEPTION WHEN duplicate_table OR unique_violation THEN
            PERFORM pgvec.raise_error('PV004', format('the name %s was taken just now.', whole_name),
                jsonb_build_object('collection', collection, 'relation', whole_name), 'Rename or drop what has it.');
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
