-- Returns a row of PV003 for what cannot be the name of a collection or the label of a version, or none.
-- Promise: what passes fits into every name derived from it (leaf, views, index, setting) without being shortened.
-- Arguments:
--   is_label  judge model_version as a label, not collection as a name
CREATE OR REPLACE FUNCTION pgvec.refuse_name(collection text, model_version text DEFAULT NULL,
                                             is_label boolean DEFAULT false)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'PV003', r.message, jsonb_build_object('collection', $1, 'model_version', $2), r.hint
      FROM (VALUES (NOT $3 AND ($1 IS NULL OR $1 !~ '^[a-z_][a-z0-9_]{0,39}$'),
                    format('%s cannot be the name of a collection.', coalesce(quote_literal(left($1, 80)), 'NULL')),
                    'Use 1 to 40 of a-z, 0-9 and _, not beginning with a digit.'),
                   ($3 AND ($2 IS NULL OR $2 !~ '^[A-Za-z0-9][A-Za-z0-9._-]*$'),
                    format('%s cannot be the label of a version.', coalesce(quote_literal(left($2, 80)), 'NULL')),
                    'Use letters a-z, digits, ".", "_" and "-", beginning with a letter or digit.'),
                   ($3 AND $2 = 'any',
                    'a version cannot be called any: a session that declares any compares no vectors.',
                    'Choose a label that says which model it is.'),
                   ($3 AND length($1) + length($2) > 50,
                    format('the label %L is too long: %s characters for collection %s, at most %s.', left($2, 80),
                           length($2), $1, 50 - length($1)),
                    'Collection and label share one identifier of 63 bytes with what is derived from them.')
           ) r (wrong, message, hint)
     WHERE r.wrong;
$$;
