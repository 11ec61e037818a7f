-- For swap_out: gives a leaf the place, the name, the column names and the key of the table that it was. Its intake is
-- gone already.
CREATE OR REPLACE FUNCTION pgvec.put_back_table(a pgvec.adoption)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    id_sequence CONSTANT text := a.original ->> 'sequence';
    next_id bigint;
    referring text[];
    statement text;
BEGIN
    EXECUTE format('ALTER TABLE %s SET SCHEMA %I', a.source, a.host_schema);
    EXECUTE format('ALTER TABLE %s RENAME TO %I', a.source, a.table_name);
    FOR statement IN
        SELECT format('ALTER TABLE %s RENAME COLUMN %I TO %I', a.source, n.new, n.old)
          FROM pgvec.adopted_names(a) n
         ORDER BY n.place DESC
    LOOP
        EXECUTE statement;
    END LOOP;
    referring := pgvec.drop_referring_keys(a.source);
    EXECUTE format('ALTER TABLE %1$s DROP CONSTRAINT %2$I, DROP CONSTRAINT %3$I, '
                   'ADD CONSTRAINT %4$I PRIMARY KEY USING INDEX %5$I', a.source, a.leaf || '_pkey', a.leaf || '_cid',
                   a.original ->> 'key', a.leaf || '_old');
    FOREACH statement IN ARRAY referring LOOP
        EXECUTE statement;
    END LOOP;
    IF id_sequence IS NOT NULL THEN
        EXECUTE format('ALTER SEQUENCE %s OWNED BY %s.%I', id_sequence, a.source, a.columns ->> 'chunk_id');
    END IF;
    FOR statement IN
        SELECT CASE k.own ->> 'identity'
               WHEN '' THEN format('ALTER TABLE %s ALTER COLUMN %I %s', a.source, k.own ->> 'name',
                                   CASE WHEN k.own ->> 'default' IS NULL THEN 'DROP DEFAULT'
                                        ELSE 'SET DEFAULT ' || (k.own ->> 'default') END) END
          FROM jsonb_array_elements(a.original -> 'columns') k (own)
         WHERE k.own ->> 'generated' = ''
        UNION ALL
        SELECT format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', a.source, k.own ->> 'name')
          FROM jsonb_array_elements(a.original -> 'columns') k (own) WHERE NOT (k.own -> 'not_null')::boolean
    LOOP
        CONTINUE WHEN statement IS NULL;
        EXECUTE statement;
    END LOOP;
    FOR statement IN
        SELECT format('ALTER TABLE %s ALTER COLUMN %I ADD GENERATED %s AS IDENTITY (SEQUENCE NAME %s START %%s)',
                      a.source, k.own ->> 'name',
                      CASE k.own ->> 'identity' WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END, id_sequence)
          FROM jsonb_array_elements(a.original -> 'columns') k (own) WHERE k.own ->> 'identity' <> ''
    LOOP
        EXECUTE format('SELECT last_value + is_called::integer FROM %s', id_sequence) INTO next_id;
        EXECUTE format('DROP SEQUENCE %s', id_sequence);
        EXECUTE format(statement, next_id);
    END LOOP;
END
$$;
