-- Describes what drop_collection does, for a dry run.
-- Raises: PV001.
CREATE OR REPLACE FUNCTION pgvec.describe_drop_collection(collection text)
RETURNS TABLE (what text, detail jsonb) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('drops %s with all its versions, views and chunks: %s', c.collection, pg_size_pretty(s.bytes)),
           jsonb_build_object('bytes', s.bytes)
      FROM pgvec.get_collection($1) c
     CROSS JOIN LATERAL (SELECT coalesce(sum(pg_total_relation_size(r)), 0)::bigint
                           FROM pgvec.collection_relations(c.collection) r) s (bytes);
$$;
