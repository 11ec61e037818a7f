-- Returns a row of PV007 for what is no schedule of cron, or none: five fields, a word such as @daily, or 'N seconds'.
-- Promise: what passes comes round (30 February never does), and pg_cron takes it; crontabs do, except for seconds.
CREATE OR REPLACE FUNCTION pgvec.refuse_schedule(schedule text)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $$
    WITH kind (place, name, lowest, highest, names) AS (VALUES
        (1, 'minute', 0, 59, ''), (2, 'hour', 0, 23, ''), (3, 'day of the month', 1, 31, ''),
        (4, 'month', 1, 12, 'jan feb mar apr may jun jul aug sep oct nov dec'),
        (5, 'day of the week', 0, 7, 'sun mon tue wed thu fri sat')
    ), field AS (
        SELECT f.* FROM regexp_split_to_table(btrim(lower($1), E' \t'), '\s+') WITH ORDINALITY f (field, place)
    ), part AS (
        -- A value, a range, or *, each with a step.
        SELECT k.*, f.field, p.part, pgvec.read_cron_part(p.part, k.lowest, k.highest, k.names) AS days
          FROM field f JOIN kind k USING (place) CROSS JOIN LATERAL string_to_table(f.field, ',') p (part)
    ), wrong (place, what) AS (
        SELECT 0, 'it is not one line of 1 to 100 characters' WHERE $1 IS NULL OR $1 !~ '^[^\n\r]{1,100}$'
        UNION ALL
        SELECT 1, format('it has %s fields, not 5', count(*)) FROM field HAVING count(*) <> 5
        UNION ALL
        SELECT p.place + 1, format('%L is no %s', p.part, p.name) FROM part p WHERE p.days IS NULL
        UNION ALL
        SELECT 9, 'such a day never comes' WHERE NOT EXISTS (
            SELECT FROM part d CROSS JOIN LATERAL unnest(d.days) AS day
              JOIN part m ON m.place = 4 CROSS JOIN LATERAL unnest(m.days) AS month
             WHERE d.place = 3 AND day <= CASE WHEN month = 2 THEN 29 WHEN month IN (4, 6, 9, 11) THEN 30 ELSE 31 END)
           AND (SELECT f.field FROM field f WHERE f.place = 5) LIKE '*%'
    )
    SELECT 'PV007', format('cron does not take the schedule %L: %s.', left(coalesce($1, 'NULL'), 100), w.what),
           jsonb_build_object('schedule', $1),
           'Five fields as in cron, such as 17 * * * *, or "N seconds" with N from 1 to 59.'
      FROM wrong w
     WHERE $1 IS NULL OR $1 !~ '^ *([1-9]|[1-5][0-9]) seconds? *$'
       AND lower(btrim($1, ' ')) !~ '^@(hourly|daily|midnight|weekly|monthly|yearly|annually)$'
     ORDER BY w.place LIMIT 1;
$$;
