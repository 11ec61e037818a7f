-- Returns the condition that two rows of one chunk hold different texts or differ in another carried column, for a
-- statement that reads both. The vectors, the turns and written_at of two versions may differ.
-- Arguments:
--   one, other  the aliases of the two rows
-- Why the bytes of the columns and not "=": a host's column may have a type without equality, such as json.
CREATE OR REPLACE FUNCTION pgvec.differing_sql(chunk_table regclass, one text, other text)
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('(%1$s.content <> %2$s.content OR NOT ROW(%3$s)::record OPERATOR(pg_catalog.*=) ROW(%4$s)::record)',
                  one, other, string_agg(one || '.' || k.field, ', ' ORDER BY k.place),
                  string_agg(other || '.' || k.field, ', ' ORDER BY k.place))
      FROM unnest(pgvec.column_list(chunk_table, carried_only => true)) WITH ORDINALITY k (field, place)
     WHERE k.field NOT IN ('written_at', 'turn');
$$;
