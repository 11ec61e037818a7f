-- For adoption_steps: the statements that build a leaf's indexes beside those of the table, while it is in use. What a
-- build that broke off left behind is dropped first.
CREATE OR REPLACE FUNCTION pgvec.adopted_indexes_sql(a pgvec.adoption)
RETURNS TABLE (statement text) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH wanted AS (
        SELECT w.place, w.name,
               format('CREATE %sINDEX CONCURRENTLY %I ON %s (%s)', w.unique, w.name, a.source, w.columns) AS statement
          FROM (VALUES
            (1, 'UNIQUE ', a.leaf || '_pkey',
             format('%I, %I', a.columns ->> 'chunk_id', pgvec.own_column(a, 'model_version'))),
            (2, 'UNIQUE ', a.leaf || '_cid', quote_ident(a.columns ->> 'chunk_id')),
            (3, '', a.leaf || '_doc', quote_ident(pgvec.own_column(a, 'document_id'))))
            w (place, "unique", name, columns)
        UNION ALL
        SELECT 4, a.leaf || '_hnsw',
               pgvec.index_sql(jsonb_populate_record(NULL::pgvec.collection, a.options),
                               jsonb_populate_record(NULL::pgvec.model_version,
                                   a.options || jsonb_build_object('leaf', a.leaf, 'index_kind', 'column')),
                               true, a.source::text, quote_ident(a.columns ->> 'embedding'))
    ), there AS (
        SELECT r.relname AS name, i.indisvalid AND i.indisready AS valid, i.indexrelid
          FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class r ON r.oid = i.indexrelid
         WHERE i.indrelid = a.source
    )
    SELECT s.statement
      FROM wanted w LEFT JOIN there t ON t.name = w.name
     CROSS JOIN LATERAL (VALUES
            (1, CASE WHEN t.valid = false THEN format('DROP INDEX CONCURRENTLY %s', t.indexrelid::regclass) END),
            (2, CASE WHEN t.valid IS NOT TRUE THEN w.statement END)) s (place, statement)
     WHERE s.statement IS NOT NULL
     ORDER BY w.place, s.place;
$$;
