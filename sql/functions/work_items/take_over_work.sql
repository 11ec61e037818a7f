-- Takes over, before the lease runs out, the work items of a version that a worker has claimed whose session has ended.
-- A worker that comes back all the same changes nothing: its lease is gone. For a roll-back or a cut-over that waits.
-- Arguments:
--   alive_too  also takes over what living workers hold; their vectors are made again
-- Returns how many; the next worker can claim them at once.
-- Raises: PV001 (no such collection), PV002 (no such version).
CREATE OR REPLACE FUNCTION pgvec.take_over_work(collection text, model_version text, alive_too boolean DEFAULT false)
RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgvec.get_version(collection, model_version);
    RETURN pgvec.free_items(collection, ARRAY[model_version], alive_too => coalesce(alive_too, false));
END
$$;
