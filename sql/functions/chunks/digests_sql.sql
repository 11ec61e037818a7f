-- Returns the subquery by which two versions are compared: chunk_id, turn and a digest of the text and of the other
-- carried columns, for each row of a leaf. Vectors, turns and written_at of two versions may differ.
-- Why a digest: a join of the rows themselves would write their texts to temporary files, both leaves whole.
-- Why the columns as text: a host's column may have a type that cannot be hashed, such as json.
CREATE OR REPLACE FUNCTION pgvec.digests_sql(chunk_table regclass, leaf text)
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('(SELECT k.chunk_id, k.turn, hashtextextended(k.content, 0) # '
                  'hashtextextended(ROW(%s)::text, 1) AS digest FROM pgvec_leaves.%I k OFFSET 0)',
                  string_agg('k.' || c.name, ', ' ORDER BY c.place), $2)
      FROM unnest(pgvec.column_list($1, carried_only => true)) WITH ORDINALITY c (name, place)
     WHERE c.name NOT IN ('written_at', 'turn');
$$;
