-- Whether an archived leaf no longer has the columns of the chunk table, by name and type: a row of PV041, or none.
-- Raises: PV001, PV002, PV007 (the chunk table is lost), PV040 (the rows are not in this database).
CREATE OR REPLACE FUNCTION pgvec.refuse_archived_columns(collection text, model_version text)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    archived CONSTANT regclass := pgvec.archive_relation(collection, model_version)::regclass;
    chunks CONSTANT regclass := pgvec.chunk_table(collection);
    missing text[];
    surplus text[];
BEGIN
    WITH relation_column (relation, definition) AS (
        SELECT a.attrelid, format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod))
          FROM pg_catalog.pg_attribute a
         WHERE a.attrelid IN (chunks, archived) AND a.attnum > 0 AND NOT a.attisdropped
    )
    SELECT array_agg(here.definition) FILTER (WHERE there.definition IS NULL),
           array_agg(there.definition) FILTER (WHERE here.definition IS NULL)
      INTO missing, surplus
      FROM (SELECT k.definition FROM relation_column k WHERE k.relation = chunks) here
      FULL JOIN (SELECT k.definition FROM relation_column k WHERE k.relation = archived) there
        ON there.definition = here.definition;
    IF missing IS NOT NULL OR surplus IS NOT NULL THEN
        RETURN QUERY VALUES ('PV041',
            format('the columns of %s changed since %s was archived.', chunks, model_version),
            jsonb_build_object('collection', collection, 'model_version', model_version,
                               'missing', coalesce(missing, '{}'), 'surplus', coalesce(surplus, '{}'),
                               'archive', archived::text),
            format('Give it the same columns: ALTER TABLE %s ADD COLUMN … / DROP COLUMN …; then restore again.',
                   archived));
    END IF;
END
$$;
