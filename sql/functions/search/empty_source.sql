-- Returns the SELECT of a routing view without an active version: the chunk table's columns and no row. It names no
-- table, so that a reader of the view needs no privilege on the chunk table.
-- Arguments:
--   without  columns to leave out
-- Raises: PV001, PV007 (no chunk table).
CREATE OR REPLACE FUNCTION pgvec.empty_source(collection text, without text[] DEFAULT '{}')
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('SELECT %s WHERE false',
                  string_agg(format('NULL::%s%s AS %I', format_type(a.atttypid, a.atttypmod),
                                    coalesce(' COLLATE ' || l.oid::regcollation, ''), a.attname),
                             ', ' ORDER BY a.attnum))
      FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
      LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation AND l.oid <> t.typcollation
     WHERE a.attrelid = pgvec.chunk_table($1) AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> ALL ($2);
$$;
