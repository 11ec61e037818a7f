-- Whether every element of a JSON array is a number that a vector can hold: not too large for it, and not so small that
-- it would become 0. False for anything but an array.
CREATE OR REPLACE FUNCTION pgvec.is_vector(given jsonb)
RETURNS boolean LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE jsonb_typeof(given) WHEN 'array' THEN NOT EXISTS (
               SELECT FROM jsonb_array_elements(given) x
                WHERE CASE WHEN pgvec.is_figure(x)
                           THEN abs(x::numeric) > 3e38 OR abs(x::numeric) BETWEEN 1e-300 AND 1e-38
                           ELSE true END)
           ELSE false END;
$$;
