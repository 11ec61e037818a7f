-- Creates or replaces a view over one version, read-only: whoever writes through it is told where to write.
-- Promise: security_invoker is restated each time, or it would be lost; security_barrier is never set, it would disable
-- the index. Grants and dependent views stay, but when a column went away: then the view is made anew, its recorded
-- grants come with the next apply_grants, and a view of the host's that depends on it raises 2BP01.
CREATE OR REPLACE FUNCTION pgvec.put_view(host_schema text, view_name text, collection text, source text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    whole_name CONSTANT text := format('%I.%I', host_schema, view_name);
    definition CONSTANT text := format('VIEW %s WITH (security_invoker = true) AS %s', whole_name, source);
BEGIN
    BEGIN
        EXECUTE 'CREATE OR REPLACE ' || definition;
    EXCEPTION WHEN invalid_table_definition THEN
        EXECUTE 'DROP VIEW ' || whole_name;
        EXECUTE 'CREATE ' || definition;
    END;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = to_regclass(whole_name) AND t.tgname = 'pgvec_read_only') THEN
        EXECUTE format('CREATE TRIGGER pgvec_read_only INSTEAD OF INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION pgvec.refuse_view_write(%L)', whole_name, collection);
    END IF;
END
$$;
