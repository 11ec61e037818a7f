-- Returns the subquery by which two versions are compared: chunk_id, turn, a digest of the text, and one of the text
-- and the other carried columns, for each row of a leaf. Vectors, turns and written_at of two versions may differ.
-- Why digests: a join of the rows themselves would write their texts to temporary files, both leaves whole.
-- Why the columns as text: a host's column may have a type that cannot be hashed, such as json.
CREATE OR REPLACE FUNCTION pgvec.digests_sql(chunk_table regclass, leaf text)
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('(SELECT k.chunk_id, k.turn, hashtextextended(k.content, 0) AS text_digest, '
                  'hashtextextended(k.content, 0) # hashtextextended(ROW(%s)::text, 1) AS digest '
                  'FROM pgvec_leaves.%s k OFFSET 0)',
                  string_agg('k.' || c.name, ', ' ORDER BY c.place), quote_ident($2))
      FROM unnest(pgvec.column_list($1, carried_only => true)) WITH ORDINALITY c (name, place)
     WHERE c.name NOT IN ('written_at', 'turn');
$$;
