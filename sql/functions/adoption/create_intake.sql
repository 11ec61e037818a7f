-- For swap_in: creates the intake between chunk table and leaf and attaches both, without a scan. Returns it.
-- Why there is one: applications write with ON CONFLICT (id), which needs a unique index on the id alone and a view
-- that PostgreSQL itself can write through. The chunk table is partitioned by label and cannot have such an index. The
-- intake has one partition that takes all ids. Its triggers fire for what is written through the old name, and not for
-- what workers write into the leaf.
CREATE OR REPLACE FUNCTION pgvec.create_intake(a pgvec.adoption, chunks regclass)
RETURNS regclass LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    intake CONSTANT text := format('pgvec_leaves.%I', a.leaf || '_in');
    statement text;
BEGIN
    EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING ALL, UNIQUE (chunk_id), CONSTRAINT pgvec_version CHECK '
                   '(model_version = %L)) PARTITION BY RANGE (chunk_id)', intake, chunks, a.model_version);
    EXECUTE format('COMMENT ON TABLE %s IS %L', intake,
                   format('pgvec-versions: takes the writes through the name %s', a.table_name));
    EXECUTE format('ALTER TABLE %s ALTER COLUMN model_version SET DEFAULT %L', intake, a.model_version);
    EXECUTE format('ALTER TABLE pgvec_leaves.%I ALTER COLUMN turn SET DEFAULT 0', a.leaf);
    FOR statement IN
        SELECT format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT %s', intake, n.name, k.own ->> 'default')
          FROM jsonb_array_elements(a.original -> 'columns') k (own)
         CROSS JOIN LATERAL pgvec.chunk_column(a.columns, k.own ->> 'name') n (name)
         WHERE k.own ->> 'default' IS NOT NULL AND k.own ->> 'generated' = ''
    LOOP
        EXECUTE statement;
    END LOOP;
    EXECUTE format('ALTER TABLE %s ATTACH PARTITION pgvec_leaves.%I FOR VALUES FROM (MINVALUE) TO (MAXVALUE)', intake,
                   a.leaf);
    EXECUTE format('ALTER TABLE %s ATTACH PARTITION %s FOR VALUES IN (%L)', chunks, intake, a.model_version);
    PERFORM pgvec.move_id_sequence(a, chunks, intake::regclass);
    RETURN intake::regclass;
END
$$;
