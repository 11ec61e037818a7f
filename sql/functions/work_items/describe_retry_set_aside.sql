-- What retry_set_aside would do, for a dry run: for one version, or for all of the collection.
-- Raises: PV001 (no such collection).
CREATE OR REPLACE FUNCTION pgvec.describe_retry_set_aside(collection text, model_version text DEFAULT NULL)
RETURNS TABLE (what text, detail jsonb) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('opens %s work items again that were set aside', i.set_aside),
           jsonb_build_object('set_aside', i.set_aside)
      FROM pgvec.get_collection($1) c CROSS JOIN LATERAL pgvec.item_counts(c.collection, $2) i;
$$;
