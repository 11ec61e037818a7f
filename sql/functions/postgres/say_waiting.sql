-- Tells the client, as a notice with SQLSTATE 55P03, whom a verb waits for and until when. It does so after the first
-- try and after every fifth, but not after the last.
-- Arguments:
--   what       what the verb waits for a lock on
--   pids       the processes that have it
CREATE OR REPLACE FUNCTION pgvec.say_waiting(verb text, what text, pids integer[], attempt integer, attempts integer)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF attempt < attempts AND (attempt = 1 OR attempt % 5 = 0) THEN
        RAISE NOTICE USING ERRCODE = '55P03',
            MESSAGE = format('%s waits for a lock on %s: %s; try %s of %s, then it gives up and changes nothing.',
                             verb, what, pgvec.name_sessions(pids), attempt, attempts);
    END IF;
END
$$;
