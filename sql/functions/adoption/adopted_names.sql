-- The columns of an adopted table whose name differs in the leaf: their old and their new name.
-- Shape: place is the order in which they are renamed: a column that has a standard name by chance makes room first.
-- The way back goes through them in the opposite order.
CREATE OR REPLACE FUNCTION pgvec.adopted_names(a pgvec.adoption)
RETURNS TABLE (place integer, old text, new text) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT n.place, n.old, n.new
      FROM (SELECT 1 AS place, k.own ->> 'name' AS old, pgvec.chunk_column(a.columns, k.own ->> 'name') AS new
              FROM jsonb_array_elements(a.original -> 'columns') k (own)
             WHERE NOT EXISTS (SELECT FROM jsonb_each_text(a.columns) e WHERE e.value = k.own ->> 'name')
            UNION ALL
            SELECT 2, pgvec.own_column(a, s.name), s.name FROM unnest(pgvec.standard_columns()) s (name)) n
     WHERE n.new <> n.old;
$$;
