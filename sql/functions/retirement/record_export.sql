-- Records that a version's rows are in a file, with what a reader needs to trust the file and to read it again. A later
-- export replaces the record.
-- Raises: PV001, PV002, PV007 (an argument is missing or out of range).
CREATE OR REPLACE FUNCTION pgvec.record_export(collection text, model_version text, location text, format text,
                                               chunks bigint, bytes bigint, sha256 text, columns text[])
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    facts CONSTANT jsonb := jsonb_build_object('location', location, 'format', format, 'chunks', chunks,
                                               'bytes', bytes, 'sha256', sha256);
BEGIN
    IF location IS NULL OR record_export.format IS NULL OR record_export.format NOT IN ('parquet', 'copy')
       OR chunks IS NULL OR chunks < 0 OR bytes IS NULL OR bytes < 0
       OR sha256 IS NULL OR sha256 !~ '^[0-9a-f]{64}$'
       OR columns IS NULL OR array_position(columns, NULL) IS NOT NULL THEN
        PERFORM pgvec.raise_error('PV007',
            'an export has a location, format parquet or copy, chunks and bytes of 0 or more, a SHA-256 and columns.',
            facts || jsonb_build_object('columns', columns));
    END IF;
    DELETE FROM pgvec.archive a
     WHERE a.collection = v.collection AND a.model_version = v.model_version AND a.kind = 'file';
    INSERT INTO pgvec.archive (collection, model_version, kind, location, format, chunks, bytes, sha256, columns)
    VALUES (v.collection, v.model_version, 'file', location, record_export.format, chunks, bytes, sha256, columns);
    PERFORM pgvec.log_event(collection, model_version, 'export', v.state, v.state, facts);
END
$$;
