-- For swap_in: gives the new chunk table what the table has besides the standard columns, so that every later leaf has
-- it too: its own columns, its CHECKs, its foreign keys and its indexes that are not unique.
CREATE OR REPLACE FUNCTION pgvec.add_adopted_columns(a pgvec.adoption, chunks regclass)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        SELECT format('ALTER TABLE %s ALTER COLUMN %I TYPE %s', chunks, k.attname,
                      format_type(k.atttypid, k.atttypmod))
          FROM pg_catalog.pg_attribute k
         WHERE k.attrelid = a.source AND k.attname IN ('chunk_id', 'content', 'document_id')
           AND k.atttypid = 'varchar'::regtype
    LOOP
        EXECUTE statement;
    END LOOP;
    FOR statement IN
        SELECT format('ALTER TABLE %s ADD COLUMN %I %s%s%s%s', chunks, k.attname,
                      format_type(k.atttypid, k.atttypmod),
                      (SELECT format(' COLLATE %I.%I', n.nspname, l.collname)
                         FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace
                        WHERE l.oid = k.attcollation AND l.collname <> 'default'),
                      CASE k.attgenerated WHEN '' THEN ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid)
                           ELSE format(' GENERATED ALWAYS AS (%s)%s', pg_get_expr(d.adbin, d.adrelid),
                                       CASE k.attgenerated WHEN 's' THEN ' STORED' ELSE ' VIRTUAL' END) END,
                      CASE WHEN k.attnotnull THEN ' NOT NULL' END)
          FROM pg_catalog.pg_attribute k
          LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = k.attrelid AND d.adnum = k.attnum
         WHERE k.attrelid = a.source AND k.attnum > 0 AND NOT k.attisdropped
           AND k.attname <> ALL (pgvec.standard_columns())
         ORDER BY k.attgenerated <> '', k.attnum
    LOOP
        EXECUTE statement;
    END LOOP;
    FOR statement IN
        SELECT format('ALTER TABLE %s ADD CONSTRAINT %I %s', chunks, k.conname, pg_get_constraintdef(k.oid))
          FROM pg_catalog.pg_constraint k
         WHERE k.conrelid = a.source AND k.contype IN ('c', 'f') AND k.convalidated AND k.confrelid <> a.source
           AND NOT starts_with(k.conname, 'pgvec_')
    LOOP
        EXECUTE statement;
    END LOOP;
    FOR statement IN
        SELECT format('CREATE INDEX ON %s %s', chunks,
                      substr(pg_get_indexdef(r.oid),
                             length(format('CREATE INDEX %I ON pgvec_leaves.%I ', r.relname, a.leaf)) + 1))
          FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class r ON r.oid = i.indexrelid
         WHERE i.indrelid = a.source AND i.indisvalid AND NOT i.indisunique
           AND r.relname <> a.leaf || '_doc'
           AND r.relam NOT IN (SELECT m.oid FROM pg_catalog.pg_am m WHERE m.amname IN ('hnsw', 'ivfflat'))
    LOOP
        EXECUTE statement;
    END LOOP;
END
$$;
