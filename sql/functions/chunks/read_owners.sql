-- Returns the statement by which a trigger of a chunk table with row-level security reads who owns its rows: the rows
-- from before the statement, and those to which the statement gave a new chunk_id. Its parameter is the list of
-- abandoned versions. Their rows carry nothing to other versions, so who owns them does not matter.
CREATE OR REPLACE FUNCTION pgvec.read_owners(chunk_table regclass, operation text)
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE operation WHEN 'UPDATE' THEN format(
        'SELECT array_agg(ROW(coalesce(x.model_version, y.model_version), coalesce(x.chunk_id, y.chunk_id)::text, '
                             'CASE WHEN x.chunk_id IS NULL THEN %s ELSE %s END)::pgvec.owned_chunk) '
        'FROM old_rows x FULL JOIN new_rows y ON y.chunk_id = x.chunk_id AND y.model_version = x.model_version '
        'WHERE coalesce(x.model_version, y.model_version) <> ALL ($1)',
        pgvec.owner_of(chunk_table, 'y'), pgvec.owner_of(chunk_table, 'x'))
    ELSE format(
        'SELECT array_agg(ROW(x.model_version, x.chunk_id::text, %s)::pgvec.owned_chunk) FROM %s x '
        'WHERE x.model_version <> ALL ($1)',
        pgvec.owner_of(chunk_table, 'x'), CASE operation WHEN 'INSERT' THEN 'new_rows' ELSE 'old_rows' END)
    END;
$$;
