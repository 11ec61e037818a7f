-- Drops the archived leaf of a retired version for good. An exported file stays, and so does its record.
-- Returns how many bytes are free again.
-- Raises: PV001, PV002, PV040 (the version has no archived leaf).
CREATE OR REPLACE FUNCTION pgvec.drop_archive(collection text, model_version text)
RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    archived CONSTANT text := format('pgvec_archive.%I', v.leaf);
    bytes bigint;
BEGIN
    DELETE FROM pgvec.archive a
     WHERE a.collection = v.collection AND a.model_version = v.model_version AND a.kind = 'table';
    IF NOT FOUND THEN
        PERFORM pgvec.raise_error('PV040',
            format('nothing of version %s of %s is kept in this database.', model_version, collection),
            jsonb_build_object('collection', collection, 'model_version', model_version, 'state', v.state),
            'See pgvec.archive.');
    END IF;
    bytes := coalesce(pg_total_relation_size(to_regclass(archived)), 0);
    EXECUTE format('DROP TABLE IF EXISTS %s', archived);
    PERFORM pgvec.log_event(collection, model_version, 'drop_archive', v.state, v.state,
        jsonb_build_object('bytes', bytes));
    RETURN bytes;
END
$$;
