-- Row trigger on routing and pinned views: refuses every write.
-- Raises: PV050.
-- Why: PostgreSQL would pass such a write straight to the leaf, where no other version would follow it.
CREATE OR REPLACE FUNCTION pgvec.refuse_view_write()
RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgvec.raise_error('PV050',
        format('%I is a view to read from: nothing is written through it.', TG_TABLE_NAME),
        jsonb_build_object('collection', TG_ARGV[0], 'view', TG_TABLE_NAME, 'verb', lower(TG_OP)),
        format('Write to the chunk table, %I.%I; every live version follows.', TG_TABLE_SCHEMA, TG_ARGV[0]));
    RETURN NULL;
END
$$;
