-- For swap_in: chunk table and intake draw new ids from the sequence that the table had.
CREATE OR REPLACE FUNCTION pgvec.move_id_sequence(a pgvec.adoption, chunks regclass, intake regclass)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    id_sequence CONSTANT text := a.original ->> 'sequence';
    relation regclass;
BEGIN
    IF id_sequence IS NULL THEN
        RETURN;
    END IF;
    EXECUTE format('ALTER SEQUENCE %s OWNED BY %s.chunk_id', id_sequence, chunks);
    FOREACH relation IN ARRAY ARRAY[chunks, intake] LOOP
        EXECUTE format('ALTER TABLE ONLY %s ALTER COLUMN chunk_id SET DEFAULT nextval(%L)', relation, id_sequence);
    END LOOP;
    -- create_chunk_table made one of its own.
    EXECUTE format('DROP SEQUENCE IF EXISTS %I.%I', a.host_schema, a.collection || '_chunk_id_seq');
END
$$;
