-- For swap_in: takes the sequence of a table's ids from the table, so that it stays where it is and with its name. A
-- partition has no identity column: the sequence of one goes, and another with its name goes on where it stopped.
CREATE OR REPLACE FUNCTION pgvec.free_id_sequence(a pgvec.adoption)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    id_sequence CONSTANT text := a.original ->> 'sequence';
    id_column CONSTANT text := a.columns ->> 'chunk_id';
    next_id bigint;
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_attribute k
                WHERE k.attrelid = a.source AND k.attname = id_column AND k.attidentity <> '') THEN
        EXECUTE format('SELECT last_value + is_called::integer FROM %s', id_sequence) INTO next_id;
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP IDENTITY', a.source, id_column);
        EXECUTE format('CREATE SEQUENCE %s AS %s START %s', id_sequence, a.options ->> 'id_type', next_id);
    ELSIF id_sequence IS NOT NULL THEN
        EXECUTE format('ALTER SEQUENCE %s OWNED BY NONE', id_sequence);
    END IF;
END
$$;
