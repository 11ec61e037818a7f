-- Trigger on an adopted leaf: refuses a TRUNCATE as long as the table's old vector index is there, with what to do.
-- Raises: PV007.
-- Why SECURITY DEFINER: a role that may TRUNCATE needs no privilege on schema pgvec. It only reads.
-- Why: PostgreSQL would fail to build that index again, and say only that the column has no dimensions.
CREATE OR REPLACE FUNCTION pgvec.refuse_early_truncate()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    a pgvec.adoption;
BEGIN
    SELECT k.* INTO a FROM pgvec.adoption k WHERE k.source = TG_RELID;
    IF EXISTS (SELECT FROM pgvec.old_vector_indexes(a.collection)) THEN
        PERFORM pgvec.raise_error('PV007',
            format('TRUNCATE of %s is refused while its adoption can be undone.', TG_RELID::regclass),
            jsonb_build_object('collection', a.collection),
            format('Finish it first: pgvec adopt --collection %s --finish. Or use DELETE.', a.collection));
    END IF;
    RETURN NULL;
END
$$;
