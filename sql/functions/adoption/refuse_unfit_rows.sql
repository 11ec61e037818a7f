-- Rows of PV007 for what pgvec.count_unfit_rows found in a table: nothing that does not fit is dropped or changed.
CREATE OR REPLACE FUNCTION pgvec.refuse_unfit_rows(source regclass, distance text, found jsonb)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'PV007', format('%s: %s.', $1, f.what), $3 - 'chunks', f.hint
      FROM (VALUES
        ((SELECT count(*) FROM jsonb_object_keys($3 -> 'dimensions')) > 1,
         'its vectors have several dimensions: ' || (SELECT string_agg(format('%s rows of %s', e.value, e.key), ', ')
                                                        FROM jsonb_each_text($3 -> 'dimensions') e),
         'One version has one. Move the others to a table of their own.'),
        ((SELECT count(*) FROM jsonb_object_keys($3 -> 'dimensions')) = 0,
         'it has no rows with a vector', 'Create the collection and let the application write into it: pgvec init.'),
        (($3 ->> 'null_vectors')::bigint > 0, ($3 ->> 'null_vectors') || ' rows have no vector',
         'Embed them, or move them to a table of their own.'),
        (($3 ->> 'null_texts')::bigint > 0, ($3 ->> 'null_texts') || ' rows have no text',
         'Give them their text, or move them to a table of their own.'),
        ($2 = 'cosine' AND ($3 ->> 'zero_vectors')::bigint > 0,
         ($3 ->> 'zero_vectors') || ' rows have a vector of zeros, which has no cosine distance',
         'Embed them again, or move them to a table of their own.')) f (found, what, hint)
     WHERE f.found;
$$;
