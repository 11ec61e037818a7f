-- The statement by which a trigger of a chunk table with row-level security reads whose its rows are: those that were
-- there before, and those that it put under a chunk_id of their own.
CREATE OR REPLACE FUNCTION pgvec.read_owners(chunk_table regclass, operation text)
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format(CASE operation
        WHEN 'INSERT' THEN 'SELECT array_agg(ROW(x.model_version, x.chunk_id::text, %1$s)::pgvec.owned_chunk) FROM new_rows x'
        WHEN 'DELETE' THEN 'SELECT array_agg(ROW(x.model_version, x.chunk_id::text, %1$s)::pgvec.owned_chunk) FROM old_rows x'
        ELSE 'SELECT array_agg(ROW(coalesce(x.model_version, y.model_version), coalesce(x.chunk_id, y.chunk_id)::text, '
             'CASE WHEN x.chunk_id IS NULL THEN %2$s ELSE %1$s END)::pgvec.owned_chunk) '
             'FROM old_rows x FULL JOIN new_rows y ON y.chunk_id = x.chunk_id AND y.model_version = x.model_version'
        END, pgvec.owner_of(chunk_table, 'x'), pgvec.owner_of(chunk_table, 'y'));
$$;
