-- For refuse_schedule: the values that one part of a field of cron means, such as 1-5 or */10. NULL if it means
-- none.
-- Arguments:
--   lowest, highest  the bounds of the field, 0 to 100
--   names            names of its values, from lowest on, separated by blanks
CREATE OR REPLACE FUNCTION pgvec.read_cron_part(part text, lowest integer, highest integer, names text)
RETURNS integer[] LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH piece AS (
        SELECT r.m[1] AS low, r.m[2] AS high, r.m[3]::integer AS step
          FROM regexp_match($1, '^(\*|[0-9]{1,2}|[a-z]{3})(?:-([0-9]{1,2}|[a-z]{3}))?(?:/([0-9]{1,2}))?$') r (m)
         WHERE r.m IS NOT NULL AND $2 BETWEEN 0 AND 100 AND $3 BETWEEN $2 AND 100
    ), bounds AS (
        SELECT CASE WHEN p.low = '*' THEN $2 WHEN p.low ~ '^[0-9]' THEN p.low::integer
                    ELSE array_position(string_to_array($4, ' '), p.low) - 1 + $2 END AS first,
               CASE WHEN p.low = '*' THEN $3 WHEN p.high ~ '^[0-9]' THEN p.high::integer
                    WHEN p.high IS NOT NULL THEN array_position(string_to_array($4, ' '), p.high) - 1 + $2
                    WHEN p.step IS NOT NULL THEN $3 END AS last,
               coalesce(p.step, 1) AS step, p.high IS NOT NULL AS is_range
          FROM piece p WHERE p.low <> '*' OR p.high IS NULL
    )
    SELECT ARRAY(SELECT generate_series(b.first, coalesce(b.last, b.first), b.step))
      FROM bounds b
     WHERE b.step > 0 AND b.first BETWEEN $2 AND $3 AND (b.last IS NOT NULL OR NOT b.is_range)
       AND coalesce(b.last, b.first) BETWEEN b.first AND $3;
$$;
