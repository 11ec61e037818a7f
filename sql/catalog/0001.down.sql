-- Removes catalog version 1, with everything that it installed. The extension vector stays: it belongs to the host.
-- Raises: PV008 (a collection still exists).

DO $$
DECLARE
    kept text := (SELECT string_agg(c.collection, ', ' ORDER BY c.collection) FROM pgvec.collection c);
BEGIN
    IF kept IS NOT NULL THEN
        RAISE EXCEPTION 'the catalog is in use: collection % still exists.', kept
            USING ERRCODE = 'PV008', DETAIL = jsonb_build_object('collections', kept)::text,
                  HINT = 'Drop it first, with all its chunks: SELECT pgvec.drop_collection(''…'');';
    END IF;
    IF has_schema_privilege(pgvec.cron_schema(), 'USAGE') THEN
        PERFORM pgvec.unschedule_retirement();
    END IF;
END
$$;

DROP SCHEMA pgvec_leaves;
DROP SCHEMA pgvec_archive;
DROP SCHEMA pgvec CASCADE;
