-- Says for which of these chunks of a version a change from another version is still to come. For writers: a store
-- writes such a chunk again even if the text is the same.
-- Arguments:
--   turns  the turns of the rows, in the order of chunk_ids
-- Shape: one row a chunk id.
-- Raises: PV001 (no such collection), PV002 (no such version), 42501 (not a writer of this collection).
-- Why turns: you know them only of rows that you can read, so that you learn nothing of a row that a policy hides.
CREATE OR REPLACE FUNCTION pgvec.waiting_changes(collection text, model_version text, chunk_ids text[],
                                                 turns bigint[])
RETURNS SETOF text LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_array_elements_text(pgvec.ask_door('waiting', $1, 'waiting_changes', jsonb_build_object(
        'model_version', $2,
        'chunks', (SELECT jsonb_object_agg(u.chunk_id, u.turn) FROM unnest($3, $4) u (chunk_id, turn)
                    WHERE u.chunk_id IS NOT NULL))));
$$;
