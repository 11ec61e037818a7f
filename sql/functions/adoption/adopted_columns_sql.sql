-- For adoption_steps: the statements that give a table the columns and types of a chunk table. None rewrites a row: a
-- length is dropped from a type, and new columns have a constant default.
CREATE OR REPLACE FUNCTION pgvec.adopted_columns_sql(a pgvec.adoption)
RETURNS TABLE (statement text) LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    vectors CONSTANT text := pgvec.vector_schema();
    embedding CONSTANT text := a.columns ->> 'embedding';
    lacking text;
BEGIN
    -- The CHECK comes with the type, so that vectors of other dimensions stay out at every moment.
    RETURN QUERY
    SELECT format('ALTER TABLE %s ADD CONSTRAINT pgvec_dimensions CHECK (%I.vector_dims(%I) = %s) NOT VALID, '
                  'ALTER COLUMN %I TYPE %I.%I', a.source, vectors, embedding, a.options ->> 'dimensions', embedding,
                  vectors, a.options ->> 'storage')
      FROM pg_catalog.pg_attribute k
     WHERE k.attrelid = a.source AND k.attname = embedding
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint d
                        WHERE d.conrelid = a.source AND d.conname = 'pgvec_dimensions');
    -- Before the CHECK: the application may go on writing NULL.
    RETURN QUERY
    SELECT pgvec.metadata_trigger_sql(a.source, a.columns ->> 'metadata')
     WHERE a.columns ? 'metadata'
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t
                        WHERE t.tgrelid = a.source AND t.tgname = 'pgvec_fill_metadata');
    SELECT string_agg(format('ADD COLUMN %I %s', pgvec.own_column(a, n.name), n.definition), ', ' ORDER BY n.place)
      INTO lacking
      FROM (VALUES (1, 'model_version', format('text NOT NULL DEFAULT %L', a.model_version)),
                   (2, 'document_id', 'text'), (3, 'position', 'integer'),
                   (4, 'metadata', $d$jsonb NOT NULL DEFAULT '{}'$d$),
                   (5, 'written_at', 'timestamptz NOT NULL DEFAULT pg_catalog.now()'),
                   (6, 'turn', format('bigint NOT NULL DEFAULT %s', a.options ->> 'turn'))) n (place, name, definition)
     WHERE NOT a.columns ? n.name
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute k
                        WHERE k.attrelid = a.source AND k.attname = pgvec.own_column(a, n.name)
                          AND NOT k.attisdropped);
    IF lacking IS NOT NULL THEN
        RETURN QUERY VALUES (format('ALTER TABLE %s %s', a.source, lacking));
    END IF;
END
$$;
