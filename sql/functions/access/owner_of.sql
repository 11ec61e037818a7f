-- An SQL expression for the owner of a row in the eyes of row-level security: a JSON array of the values of the columns
-- that the policies read. If two rows of a chunk have the same owner, every policy treats them alike, in every version.
-- The expression is NULL where row-level security is off.
-- Arguments:
--   row_name   the alias of the row in the statement that the expression goes into
CREATE OR REPLACE FUNCTION pgvec.owner_of(chunk_table regclass, row_name text)
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((SELECT format('jsonb_build_array(%s)', string_agg(format('%I.%s', row_name, f), ', '))
                       FROM unnest(pgvec.policy_columns(chunk_table)) f
                     HAVING count(*) > 0), 'NULL::jsonb');
$$;
