-- Why register_version would refuse, in its order: the chunk table is gone, the label, its options, a used label,
-- row-level security.
-- Arguments:
--   options  the options to check: dimensions, embedder, and m and ef_construction together
-- Raises: PV001 (no such collection).
CREATE OR REPLACE FUNCTION pgvec.refuse_register_version(collection text, model_version text,
                                                         options jsonb DEFAULT '{}')
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM pgvec.refuse_lost_table($1)
    UNION ALL
    SELECT * FROM pgvec.refuse_name($1, $2, true)
    UNION ALL
    SELECT 'PV007',
           format('%s dimensions do not fit: an HNSW index on %s takes 1 to %s.', coalesce(d.dimensions::text, 'NULL'),
                  c.storage, d.most),
           jsonb_build_object('dimensions', d.dimensions, 'most', d.most, 'storage', c.storage),
           CASE WHEN c.storage = 'vector' AND d.dimensions <= pgvec.largest_dimension('halfvec')
                THEN format('A collection with storage => ''halfvec'' takes up to %s; '
                            'or truncate the vectors (truncate_dim).',
                            pgvec.largest_dimension('halfvec')) END
      FROM pgvec.get_collection($1) c
     CROSS JOIN LATERAL (SELECT ($3 ->> 'dimensions')::integer, pgvec.largest_dimension(c.storage)) d (dimensions, most)
     WHERE $3 ? 'dimensions' AND coalesce(d.dimensions NOT BETWEEN 1 AND d.most, true)
    UNION ALL
    SELECT 'PV007', format('m = %s, ef_construction = %s do not fit.', i.m, i.ef),
           jsonb_build_object('m', i.m, 'ef_construction', i.ef),
           'm is 2 to 100, ef_construction 4 to 1000 and at least 2 * m.'
      FROM (SELECT ($3 ->> 'm')::integer, ($3 ->> 'ef_construction')::integer) i (m, ef)
     WHERE $3 ?& ARRAY['m', 'ef_construction']
       AND NOT coalesce(i.m BETWEEN 2 AND 100 AND i.ef BETWEEN 4 AND 1000 AND i.ef >= 2 * i.m, false)
    UNION ALL
    SELECT 'PV007', 'embedder must be a JSON object.', jsonb_build_object('embedder', $3 -> 'embedder'), NULL
     WHERE $3 ? 'embedder' AND jsonb_typeof($3 -> 'embedder') <> 'object'
    UNION ALL
    SELECT * FROM pgvec.refuse_used_label($1, $2)
    UNION ALL
    SELECT * FROM pgvec.refuse_held_owner($1);
$$;
