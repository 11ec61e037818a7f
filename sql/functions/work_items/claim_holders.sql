-- Who holds work items of a version at this moment, for one who waits for them.
-- Shape: one row a session. expires: when the last of its leases ends. application, address and state are NULL where
-- you may not see the session, or it has ended.
-- Raises: PV001 (no such collection), PV002 (no such version).
CREATE OR REPLACE FUNCTION pgvec.claim_holders(collection text, model_version text)
RETURNS TABLE (items bigint, pid integer, application text, address inet, state text, expires timestamptz,
               seconds double precision)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT h.items, h.pid, nullif(a.application_name, ''), a.client_addr, a.state, h.expires,
           extract(epoch FROM h.expires - clock_timestamp())::float8
      FROM pgvec.get_version($1, $2) v
     CROSS JOIN LATERAL (SELECT count(*) AS items, (w.holder ->> 'pid')::integer AS pid, max(w.leased_until) AS expires
                           FROM pgvec.work_item w
                          WHERE w.collection = v.collection AND w.model_version = v.model_version
                            AND w.set_aside_at IS NULL AND w.lease IS NOT NULL AND w.leased_until > clock_timestamp()
                          GROUP BY 2) h
      LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = h.pid
     ORDER BY h.expires, h.pid;
$$;
