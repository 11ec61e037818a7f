-- For adoption_steps: the statements that make the CHECKs that let the swap attach the table without reading it. Each
-- is added at once and validated while the table is in use.
CREATE OR REPLACE FUNCTION pgvec.adopted_checks_sql(a pgvec.adoption)
RETURNS TABLE (statement text, lock text, held text) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH wanted AS (
        SELECT w.place, w.name, w.condition
          FROM (VALUES
            (1, 'pgvec_version', format('%I = %L', pgvec.own_column(a, 'model_version'), a.model_version)),
            (2, 'pgvec_written_at', format('pg_catalog.isfinite(%I)', pgvec.own_column(a, 'written_at'))),
            (3, 'pgvec_not_zero', CASE WHEN a.options ->> 'distance' = 'cosine' THEN
                format('%I.%s(%I) > 0', pgvec.vector_schema(),
                       CASE a.options ->> 'storage' WHEN 'vector' THEN 'vector_norm' ELSE 'l2_norm' END,
                       a.columns ->> 'embedding') END)) w (place, name, condition)
         WHERE w.condition IS NOT NULL
        UNION ALL
        SELECT 4, 'pgvec_has_' || r.role, format('%I IS NOT NULL', a.columns ->> r.role)
          FROM (VALUES ('content'), ('embedding'), ('metadata')) r (role)
          JOIN pg_catalog.pg_attribute k
            ON k.attrelid = a.source AND k.attname = a.columns ->> r.role AND NOT k.attnotnull
    ), lacking AS (
        SELECT w.* FROM wanted w
         WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k
                            WHERE k.conrelid = a.source AND k.conname = w.name)
    )
    SELECT format('ALTER TABLE %s %s', a.source,
                  string_agg(format('ADD CONSTRAINT %I CHECK (%s) NOT VALID', l.name, l.condition), ', '
                             ORDER BY l.place, l.name)),
           'ACCESS EXCLUSIVE', 'a moment'
      FROM lacking l HAVING count(*) > 0
    UNION ALL
    SELECT format('ALTER TABLE %s VALIDATE CONSTRAINT %I', a.source, n.name), 'SHARE UPDATE EXCLUSIVE', 'a scan'
      FROM (SELECT w.name FROM wanted w UNION ALL VALUES ('pgvec_dimensions')) n
     WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k
                        WHERE k.conrelid = a.source AND k.conname = n.name AND k.convalidated);
$$;
