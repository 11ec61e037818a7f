-- Trigger on a leaf: refuses a TRUNCATE that empties this version and not the others, because no trigger would carry
-- it. A TRUNCATE of the chunk table empties them all.
-- Raises: PV007.
-- Why AFTER and not BEFORE: one TRUNCATE may name several tables. Now they are all empty.
-- Why SECURITY DEFINER: it must see the rows of the other versions.
CREATE OR REPLACE FUNCTION pgvec.refuse_leaf_truncate()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
DECLARE
    emptied pgvec.model_version;
    other pgvec.model_version;
    filled boolean;
BEGIN
    SELECT v.* INTO emptied FROM pgvec.model_version v
     WHERE v.leaf_relation = TG_RELID AND v.dropped_at IS NULL AND v.state <> 'abandoned';
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    FOR other IN SELECT v.* FROM pgvec.model_version v
                  WHERE v.collection = emptied.collection AND v.model_version <> emptied.model_version
                    AND v.dropped_at IS NULL AND v.state <> 'abandoned'
                    AND to_regclass(format('pgvec_leaves.%I', v.leaf)) IS NOT NULL
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM pgvec_leaves.%I)', other.leaf) INTO filled;
        IF filled THEN
            PERFORM pgvec.raise_error('PV007',
                format('TRUNCATE of %s is refused: version %s of %s would keep its chunks.', TG_RELID::regclass,
                       other.model_version, emptied.collection),
                jsonb_build_object('collection', emptied.collection, 'model_version', emptied.model_version,
                                   'kept', other.model_version),
                format('To empty every version: TRUNCATE %s; to give version %s up: pgvec.abandon or '
                       'pgvec.retire_version.', (pgvec.get_collection(emptied.collection)).chunk_table::regclass,
                       emptied.model_version));
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
