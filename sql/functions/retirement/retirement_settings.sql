-- How a collection retires its versions: its row of pgvec.retirement_setting, or the defaults.
CREATE OR REPLACE FUNCTION pgvec.retirement_settings(collection text)
RETURNS pgvec.retirement_setting LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT $1, coalesce(s.on_retire, 'drop'), coalesce(s.read_window, interval '1 hour')
      FROM (VALUES (1)) one (row)
      LEFT JOIN pgvec.retirement_setting s ON s.collection = $1;
$$;
