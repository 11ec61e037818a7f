-- Waits until the transactions that have written to a version's leaf by now have ended, so that a concurrent build of
-- its index does not have to. It takes no lock: nobody waits behind it. A notice says whom it waits for.
-- Raises: PV001 (no such collection), PV002 (no such version), PV007 (lock_timeout), 55P03 (they go on for longer than
-- lock_timeout; DETAIL holds the processes).
CREATE OR REPLACE FUNCTION pgvec.await_writers(collection text, model_version text,
                                               lock_timeout interval DEFAULT '10 seconds')
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v CONSTANT pgvec.model_version := pgvec.get_version(collection, model_version);
    deadline timestamptz;
    earlier CONSTANT text[] := ARRAY(SELECT w.transaction FROM pgvec.leaf_writers(v.leaf) w);
    pids integer[];
    said boolean := false;
BEGIN
    PERFORM pgvec.check_patience(lock_timeout, 1);
    deadline := clock_timestamp() + lock_timeout;
    LOOP
        pids := ARRAY(SELECT w.pid FROM pgvec.leaf_writers(v.leaf) w WHERE w.transaction = ANY (earlier) ORDER BY 1);
        EXIT WHEN pids = '{}';
        IF clock_timestamp() > deadline THEN
            PERFORM pgvec.raise_error('55P03',
                format('build_index: %s writes to %s for too long.', pgvec.name_sessions(pids), v.model_version),
                jsonb_build_object('collection', collection, 'model_version', model_version, 'processes', pids),
                'Nothing was changed. Wait for that transaction (pg_stat_activity), or end it, and call again.');
        ELSIF NOT said AND clock_timestamp() > deadline - lock_timeout * 0.9 THEN
            said := true;
            RAISE NOTICE USING ERRCODE = '55P03',
                MESSAGE = format('build_index waits for the transaction of %s, until %s at most.',
                                 pgvec.name_sessions(pids), to_char(deadline, 'HH24:MI:SS'));
        END IF;
        PERFORM pg_sleep(0.02);
    END LOOP;
END
$$;
