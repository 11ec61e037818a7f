-- Sessions in words, to name those that somebody waits for: process, application, state, and since when.
-- Arguments:
--   pids  their process ids; more than three are counted
CREATE OR REPLACE FUNCTION pgvec.name_sessions(pids integer[])
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(string_agg(format('process %s', p.pid) || coalesce(' (' || nullif(concat_ws(', ',
                        nullif(a.application_name, ''), host(a.client_addr),
                        a.state || ' since ' || to_char(a.state_change, 'HH24:MI:SS')), '') || ')', ''),
                    ', ' ORDER BY p.place)
                    || CASE WHEN cardinality($1) > 3 THEN format(' and %s more', cardinality($1) - 3) ELSE '' END,
                    'a session that just ended')
      FROM unnest($1[1:3]) WITH ORDINALITY p (pid, place) LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = p.pid;
$$;
