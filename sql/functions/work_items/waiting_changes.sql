-- Those of the given chunks of a version for which a change is on its way from another version. For writers: a store
-- writes such a chunk again, also where the text is the same. It answers only who knows the row: turns must be
-- those of the rows (of each chunk, in the same order), so that nothing is said of a row that a policy hides.
-- Raises PV001, PV002, 42501 (no writer of this collection).
CREATE OR REPLACE FUNCTION pgvec.waiting_changes(collection text, model_version text, chunk_ids text[],
                                                 turns bigint[])
RETURNS SETOF text LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_array_elements_text(pgvec.ask_door('waiting', $1, 'waiting_changes', jsonb_build_object(
        'model_version', $2,
        'chunks', (SELECT jsonb_object_agg(u.chunk_id, u.turn) FROM unnest($3, $4) u (chunk_id, turn)
                    WHERE u.chunk_id IS NOT NULL))));
$$;
