-- The name that a standard column of the chunk table has in a table while it is being adopted: the mapped one, or its
-- own; where another column of the table has that name by chance, pgvec_ in front.
CREATE OR REPLACE FUNCTION pgvec.own_column(a pgvec.adoption, standard_name text)
RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(a.columns ->> standard_name,
                    CASE WHEN EXISTS (SELECT FROM jsonb_array_elements(a.original -> 'columns') k (own)
                                       WHERE k.own ->> 'name' = standard_name)
                         THEN 'pgvec_' ELSE '' END || standard_name);
$$;
