-- Rows of PV007 for options of a version that do not fit.
-- Arguments:
--   storage  vector or halfvec
--   options  the options to check: dimensions, embedder, and m and ef_construction together
CREATE OR REPLACE FUNCTION pgvec.refuse_version_options(storage text, options jsonb)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'PV007',
           format('%s dimensions do not fit: an HNSW index on %s takes 1 to %s.', coalesce(d.dimensions::text, 'NULL'),
                  $1, d.most),
           jsonb_build_object('dimensions', d.dimensions, 'most', d.most, 'storage', $1),
           CASE WHEN $1 = 'vector' AND d.dimensions <= pgvec.largest_dimension('halfvec')
                THEN format('A collection with storage => ''halfvec'' takes up to %s; '
                            'or truncate the vectors (truncate_dim).',
                            pgvec.largest_dimension('halfvec')) END
      FROM (SELECT ($2 ->> 'dimensions')::integer, pgvec.largest_dimension($1)) d (dimensions, most)
     WHERE $2 ? 'dimensions' AND coalesce(d.dimensions NOT BETWEEN 1 AND d.most, true)
    UNION ALL
    SELECT 'PV007', format('m = %s, ef_construction = %s do not fit.', i.m, i.ef),
           jsonb_build_object('m', i.m, 'ef_construction', i.ef),
           'm is 2 to 100, ef_construction 4 to 1000 and at least 2 * m.'
      FROM (SELECT ($2 ->> 'm')::integer, ($2 ->> 'ef_construction')::integer) i (m, ef)
     WHERE $2 ?& ARRAY['m', 'ef_construction']
       AND NOT coalesce(i.m BETWEEN 2 AND 100 AND i.ef BETWEEN 4 AND 1000 AND i.ef >= 2 * i.m, false)
    UNION ALL
    SELECT 'PV007', 'embedder must be a JSON object.', jsonb_build_object('embedder', $2 -> 'embedder'), NULL
     WHERE $2 ? 'embedder' AND jsonb_typeof($2 -> 'embedder') <> 'object';
$$;
