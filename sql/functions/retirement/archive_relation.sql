-- The table that holds a version's rows, schema and name: its leaf, or its archived leaf.
-- Raises: PV001, PV002, PV040 (the rows are not in this database).
CREATE OR REPLACE FUNCTION pgvec.archive_relation(collection text, model_version text)
RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    relation CONSTANT text := format(CASE WHEN v.dropped_at IS NULL THEN 'pgvec_leaves.%I' ELSE 'pgvec_archive.%I' END,
                                     v.leaf);
    file text;
BEGIN
    IF to_regclass(relation) IS NULL THEN
        SELECT a.location INTO file
          FROM pgvec.archive a
         WHERE a.collection = v.collection AND a.model_version = v.model_version AND a.kind = 'file';
        PERFORM pgvec.raise_error('PV040',
            format('version %s of %s is %s and its rows are not in this database.',
                   v.model_version, v.collection, v.state),
            jsonb_build_object('collection', collection, 'model_version', model_version, 'state', v.state,
                               'file', file),
            CASE WHEN file IS NULL THEN 'It was dropped; register and fill a version with a new label.'
                 ELSE format('It was exported to %s: pgvec restore %s --from FILE.', file, v.model_version) END);
    END IF;
    RETURN relation;
END
$$;
