-- The SQL expression that says whose a row is, to row-level security: the values of the columns that the policies look at,
-- as a JSON array. Rows of one chunk with the same owner get the same verdict from every policy, whatever version they
-- are of; NULL where row-level security is off. ``row_name`` is the row's alias in a statement of ours.
CREATE OR REPLACE FUNCTION pgvec.owner_of(chunk_table regclass, row_name text)
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((SELECT format('jsonb_build_array(%s)', string_agg(format('%I.%s', row_name, f), ', '))
                       FROM unnest(pgvec.policy_columns(chunk_table)) f HAVING count(*) > 0), 'NULL::jsonb');
$$;
