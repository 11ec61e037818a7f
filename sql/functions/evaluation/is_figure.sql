-- Whether a JSON value is a number that double precision holds, as a metric or a bound must be.
CREATE OR REPLACE FUNCTION pgvec.is_figure(given jsonb)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE jsonb_typeof($1)
               WHEN 'number' THEN abs($1::numeric) < 1e300 AND (abs($1::numeric) > 1e-300 OR $1::numeric = 0)
               ELSE false END;
$$;
