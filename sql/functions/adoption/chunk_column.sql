-- The name that a column of an adopted table has in the chunk table: the standard name if it is mapped, else its own. A
-- column of the host's that has a standard name by chance gets host_ in front.
CREATE OR REPLACE FUNCTION pgvec.chunk_column(columns jsonb, own_name text)
RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((SELECT e.key FROM jsonb_each_text($1) e WHERE e.value = $2),
                    CASE WHEN $2 = ANY (pgvec.standard_columns()) THEN 'host_' || $2 ELSE $2 END);
$$;
