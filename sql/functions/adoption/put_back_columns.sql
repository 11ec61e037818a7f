-- For swap_out: takes from a table what the steps of an adoption gave it, and gives its vectors their type again.
CREATE OR REPLACE FUNCTION pgvec.put_back_columns(a pgvec.adoption)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    embedding CONSTANT text := a.columns ->> 'embedding';
    statement text;
BEGIN
    FOR statement IN
        SELECT format('DROP TRIGGER %I ON %s', t.tgname, a.source)
          FROM pg_catalog.pg_trigger t
         WHERE t.tgrelid = a.source AND NOT t.tgisinternal AND starts_with(t.tgname, 'pgvec_')
    LOOP
        EXECUTE statement;
    END LOOP;
    FOR statement IN
        SELECT format('DROP INDEX %s', i.indexrelid::regclass)
          FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class r ON r.oid = i.indexrelid
         WHERE i.indrelid = a.source AND r.relname IN (a.leaf || '_hnsw', a.leaf || '_doc', a.leaf || '_pkey',
                                                       a.leaf || '_cid')
        UNION ALL
        -- The cast's expression is the bare column to the planner, so that PostgreSQL sees nothing to rewrite or check.
        SELECT format('ALTER TABLE %s ALTER COLUMN %I TYPE %s USING (ROW(%2$I)::pgvec.%4$I)::%3$s', a.source, embedding,
                      k.own ->> 'type', CASE a.options ->> 'storage' WHEN 'vector' THEN 'boxed' ELSE 'boxed_half' END)
          FROM jsonb_array_elements(a.original -> 'columns') k (own)
         WHERE k.own ->> 'name' = embedding AND k.own ->> 'type' LIKE '%(%)'
           AND EXISTS (SELECT FROM pg_catalog.pg_constraint d
                        WHERE d.conrelid = a.source AND d.conname = 'pgvec_dimensions')
    LOOP
        EXECUTE statement;
    END LOOP;
    FOR statement IN
        SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', a.source, k.conname)
          FROM pg_catalog.pg_constraint k
         WHERE k.conrelid = a.source AND k.contype = 'c' AND starts_with(k.conname, 'pgvec_')
        UNION ALL
        SELECT format('ALTER TABLE %s DROP COLUMN %I', a.source, k.attname)
          FROM pg_catalog.pg_attribute k
         WHERE k.attrelid = a.source AND k.attnum > 0 AND NOT k.attisdropped
           AND NOT EXISTS (SELECT FROM jsonb_array_elements(a.original -> 'columns') c (own)
                            WHERE c.own ->> 'name' = k.attname)
    LOOP
        EXECUTE statement;
    END LOOP;
END
$$;
