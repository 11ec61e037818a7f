-- The commands that settle a difference of pgvec.unsettled_chunks, for a hint and for the doctor. Where only you can
-- know which of two versions is right, it names both ways.
CREATE OR REPLACE FUNCTION pgvec.ways_out(collection text, model_version text, difference text)
RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    active CONSTANT text := pgvec.active_version(collection);
    chunks CONSTANT text := format('%I.%I', (pgvec.get_collection(collection)).host_schema, collection);
    these CONSTANT text := format('chunk_id::text IN (SELECT u.chunk_id FROM pgvec.unsettled_chunks(%L, %L) u '
                                  'WHERE u.difference = %L);', collection, model_version, difference);
    plan CONSTANT text := format('SELECT pgvec.plan_backfill(%L, %L); then pgvec worker --drain.', collection,
                                 CASE WHEN difference IN ('ahead', 'surplus') THEN active ELSE model_version END);
    -- To write a row again gives it a later turn, and the triggers carry it.
    again CONSTANT text := format('UPDATE %s SET document_id = document_id WHERE model_version = %L AND %s '
                                  'Then: pgvec worker --drain.', chunks, active, these);
BEGIN
    RETURN CASE
        WHEN difference = 'surplus' OR (difference = 'missing' AND model_version = active) THEN
            format('If they are to come back: %s If they were deleted on purpose: DELETE FROM %s WHERE %s', plan,
                   chunks, these)
        WHEN difference = 'ahead' OR (difference = 'stale' AND model_version = active) THEN
            format('If the later form is right: %s If the active version is right: %s', plan, again)
        WHEN difference = 'deleted' AND model_version = active THEN
            format('If they are to stay: %s If they were deleted on purpose: DELETE FROM %s WHERE %s', again, chunks,
                   these)
        WHEN difference = 'undrawn' THEN
            format('SELECT setval(''pgvec.turn'', (SELECT max(turn) FROM %s));', chunks)
        ELSE plan END;
END
$$;
