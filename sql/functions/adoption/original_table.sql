-- What a table was before it was adopted, for the way back: its columns with their types and defaults, its key, its
-- vector indexes and the foreign keys of other tables.
CREATE OR REPLACE FUNCTION pgvec.original_table(source regclass)
RETURNS jsonb LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_object(
        'columns', (SELECT jsonb_agg(jsonb_build_object(
                        'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'not_null', a.attnotnull,
                        'identity', a.attidentity, 'generated', a.attgenerated,
                        'default', pg_get_expr(d.adbin, d.adrelid)) ORDER BY a.attnum)
                      FROM pg_catalog.pg_attribute a
                      LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                     WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped),
        'key', (SELECT k.conname FROM pg_catalog.pg_constraint k WHERE k.conrelid = $1 AND k.contype = 'p'),
        'sequence', (SELECT pg_get_serial_sequence($1::text, a.attname)
                       FROM pg_catalog.pg_index i
                       JOIN pg_catalog.pg_attribute a ON a.attrelid = $1 AND a.attnum = i.indkey[0]
                      WHERE i.indrelid = $1 AND i.indisprimary),
        'vector_indexes', (SELECT coalesce(jsonb_object_agg(r.relname, pg_get_indexdef(r.oid)), '{}')
                             FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class r ON r.oid = i.indexrelid
                             JOIN pg_catalog.pg_am m ON m.oid = r.relam
                            WHERE i.indrelid = $1 AND m.amname IN ('hnsw', 'ivfflat')));
$$;
