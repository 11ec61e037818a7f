-- Drops a version's pinned view if it has one. Raises 2BP01 when something of the host's depends on it.
CREATE OR REPLACE FUNCTION pgvec.drop_pinned_view(collection text, model_version text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    view_name text := format('%I.%I', (pgvec.get_collection(collection)).host_schema, (pgvec.get_version(collection, model_version)).pinned_view);
BEGIN
    IF to_regclass(view_name) IS NOT NULL THEN
        EXECUTE 'DROP VIEW ' || view_name;
    END IF;
END
$$;
