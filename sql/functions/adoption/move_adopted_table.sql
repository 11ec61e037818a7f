-- For swap_in: moves the table among the leaves, under the chunk table's names for its columns, and gives it the chunk
-- table's key. Its own vector indexes stay as long as the adoption can be undone. Foreign keys of other tables go on
-- pointing to it; a step after the swap checks them for the rows that are there.
CREATE OR REPLACE FUNCTION pgvec.move_adopted_table(a pgvec.adoption)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    leaf CONSTANT text := format('pgvec_leaves.%I', a.leaf);
    statement text;
    referring text[];
    column_name text;
BEGIN
    EXECUTE format('DROP TRIGGER IF EXISTS pgvec_fill_metadata ON %s', a.source);  -- the intake has its own
    PERFORM pgvec.free_id_sequence(a);
    EXECUTE format('ALTER TABLE %s RENAME TO %I', a.source, a.leaf);
    EXECUTE format('ALTER TABLE %I.%I SET SCHEMA pgvec_leaves', a.host_schema, a.leaf);
    FOR statement IN
        SELECT format('ALTER TABLE %s RENAME COLUMN %I TO %I', leaf, n.old, n.new)
          FROM pgvec.adopted_names(a) n
         ORDER BY n.place
    LOOP
        EXECUTE statement;
    END LOOP;
    FOREACH column_name IN ARRAY '{content,embedding,metadata}'::text[] LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', leaf, column_name);
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I', leaf, 'pgvec_has_' || column_name);
    END LOOP;
    referring := pgvec.drop_referring_keys(a.source);
    EXECUTE format('ALTER TABLE %1$s DROP CONSTRAINT %2$I, ADD CONSTRAINT %3$I PRIMARY KEY USING INDEX %3$I, '
                   'ADD CONSTRAINT %4$I UNIQUE USING INDEX %4$I',
                   leaf, a.original ->> 'key', a.leaf || '_pkey', a.leaf || '_cid');
    FOREACH statement IN ARRAY referring LOOP
        EXECUTE statement;
    END LOOP;
END
$$;
