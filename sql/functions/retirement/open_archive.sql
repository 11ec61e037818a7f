-- Makes an empty archive table for a retired version that was exported. In the same transaction you fill it from the
-- file, then call pgvec.restore_version. Its CHECKs refuse rows of another version. Returns the table's name.
-- Raises: PV001, PV002, PV004 (the version still has an archived leaf), PV005 (not retired), PV040 (never exported).
CREATE OR REPLACE FUNCTION pgvec.open_archive(collection text, model_version text)
RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    archived CONSTANT text := format('pgvec_archive.%I', v.leaf);
    exported pgvec.archive;
BEGIN
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
       FROM pgvec.refuse_state(collection, model_version, 'restore') r;
    SELECT a.* INTO exported
      FROM pgvec.archive a
     WHERE a.collection = v.collection AND a.model_version = v.model_version AND a.kind = 'file';
    IF NOT FOUND THEN
        PERFORM pgvec.raise_error('PV040',
            format('version %s of %s was never exported: no file can be trusted to be it.', model_version, collection),
            jsonb_build_object('collection', collection, 'model_version', model_version),
            'Its record has no checksum to compare with.');
    END IF;
    IF to_regclass(archived) IS NOT NULL THEN
        PERFORM pgvec.raise_error('PV004', format('%s already exists.', archived),
            jsonb_build_object('collection', collection, 'model_version', model_version),
            format('Restore that: SELECT pgvec.restore_version(%L, %L);', collection, model_version));
    END IF;
    PERFORM pgvec.create_leaf('pgvec_archive', v.leaf, v.collection, v.model_version, v.dimensions);
    INSERT INTO pgvec.archive (collection, model_version, kind, location, bytes, columns)
    VALUES (v.collection, v.model_version, 'table', archived, 0, exported.columns);
    RETURN archived;
END
$$;
