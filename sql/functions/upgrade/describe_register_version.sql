-- What register_version would do, for a dry run.
CREATE OR REPLACE FUNCTION pgvec.describe_register_version(collection text, model_version text)
RETURNS TABLE (what text, detail jsonb) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('creates an empty leaf for %s, which follows every write from then on; '
                  'writers wait while it is attached',
                  coalesce($2, 'the version')), '{}'::jsonb;
$$;
