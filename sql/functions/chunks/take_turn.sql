-- Row trigger on the chunk table and its leaves, for an INSERT that does not set the turn: the row takes the next one.
-- Why SECURITY DEFINER: a writer needs no privilege on schema pgvec. It does nothing else with its owner's rights.
CREATE OR REPLACE FUNCTION pgvec.take_turn()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.turn := nextval('pgvec.turn');
    RETURN NEW;
END
$$;
