-- The sessions that have held for more than a second a lock that a cut-over needs: they read active_<collection> or
-- write to the chunk table.
-- Shape: one row a session, in the words of a dry run.
-- Raises: PV001 (no such collection).
CREATE OR REPLACE FUNCTION pgvec.switch_holders(collection text)
RETURNS TABLE (what text, detail jsonb) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('session %s has read or written %s for %s and holds its lock (%s)', a.pid, c.collection,
                  date_trunc('second', clock_timestamp() - a.xact_start), a.state),
           jsonb_build_object('pid', a.pid, 'state', a.state, 'since', a.xact_start)
      FROM pgvec.get_collection($1) c CROSS JOIN pg_catalog.pg_stat_activity a
     WHERE a.pid <> pg_backend_pid() AND a.xact_start < clock_timestamp() - interval '1 second'
       AND EXISTS (SELECT FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_database d ON d.oid = l.database
                    WHERE l.pid = a.pid AND l.granted AND d.datname = current_database()
                      AND (l.relation = c.routing_view
                           OR (l.relation = c.chunk_table
                               AND l.mode NOT IN ('AccessShareLock', 'RowShareLock'))));
$$;
