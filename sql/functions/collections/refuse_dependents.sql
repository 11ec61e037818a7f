-- Returns a row of 2BP01 when a host object depends on relations that a verb drops, or none.
-- Arguments:
--   of  what the relations are, for the message
CREATE OR REPLACE FUNCTION pgvec.refuse_dependents(collection text, verb text, of text, relations regclass[])
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT '2BP01',
           format('%s: something of yours depends on %s: %s.', $2, $3,
                  string_agg(d.dependent, '; ' ORDER BY d.dependent)),
           jsonb_build_object('collection', $1, 'verb', $2, 'dependents', jsonb_agg(d.dependent ORDER BY d.dependent)),
           'Drop what depends on it first.'
      FROM pgvec.host_dependents($4) d
    HAVING count(*) > 0;
$$;
