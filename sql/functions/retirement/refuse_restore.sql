-- Why pgvec.restore_version cannot bring a version back: one row, or none.
-- Raises: PV001, PV002. The codes of its row: PV005 (not retired), PV040 (it has no archived leaf), PV041 (the chunk
-- table's columns changed), PV004 (another relation has the name of its pinned view).
CREATE OR REPLACE FUNCTION pgvec.refuse_restore(collection text, model_version text)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    which CONSTANT jsonb := jsonb_build_object('collection', collection, 'model_version', model_version);
    file CONSTANT text := (SELECT a.location
                             FROM pgvec.archive a
                            WHERE a.collection = v.collection AND a.model_version = v.model_version
                              AND a.kind = 'file');
BEGIN
    RETURN QUERY SELECT r.* FROM pgvec.refuse_state(collection, model_version, 'restore') r;
    IF FOUND THEN
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM pgvec.archive a
                    WHERE a.collection = v.collection AND a.model_version = v.model_version AND a.kind = 'table') THEN
        RETURN QUERY VALUES ('PV040',
            format('version %s of %s was not kept in this database.', model_version, collection), which,
            CASE WHEN file IS NULL THEN 'It was dropped; register and fill a version with a new label.'
                 ELSE format('It was exported to %s: pgvec restore %s --from FILE.', file, v.model_version) END);
        RETURN;
    END IF;
    RETURN QUERY SELECT r.* FROM pgvec.refuse_archived_columns(collection, model_version) r;
    IF FOUND THEN
        RETURN;
    END IF;
    -- The version's own pinned view was dropped when it retired, so whatever has the name now is not ours.
    IF to_regclass(format('%I.%I', c.host_schema, v.pinned_view)) IS NOT NULL THEN
        RETURN QUERY VALUES ('PV004',
            format('the name %I.%I is taken: the pinned view of %s needs it.',
                   c.host_schema, v.pinned_view, model_version),
            which || jsonb_build_object('relation', v.pinned_view), 'Rename the relation that has it.');
    END IF;
END
$$;
