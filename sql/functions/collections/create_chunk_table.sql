-- Creates the chunk table of a collection, with the sequence of its ids if they are bigint; its triggers come after.
CREATE OR REPLACE FUNCTION pgvec.create_chunk_table(c pgvec.collection)
RETURNS regclass LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    relation CONSTANT text := format('%I.%I', c.host_schema, c.collection);
    id_sequence CONSTANT text := format('%I.%I', c.host_schema, c.collection || '_chunk_id_seq');
    id_default CONSTANT text := CASE c.id_type
        WHEN 'uuid' THEN 'DEFAULT pg_catalog.gen_random_uuid()'
        WHEN 'bigint' THEN format('DEFAULT pg_catalog.nextval(%L)', id_sequence)
        ELSE '' END;
BEGIN
    IF c.id_type = 'bigint' THEN
        EXECUTE format('CREATE SEQUENCE %s', id_sequence);
    END IF;
    EXECUTE format($ddl$
        CREATE TABLE %s (
            chunk_id %s NOT NULL %s,
            model_version text NOT NULL,
            document_id text,
            position integer,
            content text NOT NULL,
            metadata jsonb NOT NULL DEFAULT '{}',
            embedding %I.%I NOT NULL,
            written_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
                CONSTRAINT pgvec_written_at CHECK (pg_catalog.isfinite(written_at)),
            turn bigint NOT NULL DEFAULT 0,
            PRIMARY KEY (chunk_id, model_version)
        ) PARTITION BY LIST (model_version)
    $ddl$, relation, c.id_type, id_default, pgvec.vector_schema(), c.storage);
    IF c.id_type = 'bigint' THEN
        EXECUTE format('ALTER SEQUENCE %s OWNED BY %s.chunk_id', id_sequence, relation);
    END IF;
    EXECUTE format('CREATE INDEX ON %s (document_id)', relation);
    EXECUTE format('COMMENT ON TABLE %s IS %L', relation,
                   'pgvec-versions: chunks, one partition a model version; query active_' || c.collection);
    RETURN relation::regclass;
END
$$;
