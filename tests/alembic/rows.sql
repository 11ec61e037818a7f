-- What the catalog says, without times and without the counter of changes.
SELECT 'collection row', (to_jsonb(c) - '{created_at,epoch}'::text[])::text FROM pgvec.collection c
UNION ALL
SELECT 'version row',
        (to_jsonb(v) - '{registered_at,ready_at,activated_at,draining_at,retire_at,abandoned_at,dropped_at}'::text[]
         -- The number of a leaf that is gone says nothing.
         - CASE WHEN v.dropped_at IS NULL THEN '' ELSE 'leaf_relation' END)::text
  FROM pgvec.model_version v
UNION ALL
SELECT 'grant row', (to_jsonb(g) - 'granted_at')::text FROM pgvec.collection_grant g
UNION ALL
SELECT 'catalog version row', version::text FROM pgvec.catalog_version
