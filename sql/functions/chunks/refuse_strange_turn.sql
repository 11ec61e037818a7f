-- Refuses rows with a turn that was never drawn: they would win against every later write.
-- Arguments:
--   latest  the highest turn of the rows
-- Raises: PV007.
CREATE OR REPLACE FUNCTION pgvec.refuse_strange_turn(collection text, latest bigint)
RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF latest > (SELECT q.last_value FROM pgvec.turn q) THEN
        PERFORM pgvec.raise_error('PV007', format('a row for %s has a turn that was never drawn.', collection),
            jsonb_build_object('collection', collection), 'Leave turn out: each write takes its own.');
    END IF;
END
$$;
