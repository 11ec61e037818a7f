-- Frees claimed items, so that the next worker can claim them at once. The worker that had them changes nothing any
-- more: its lease is gone. Items that somebody is writing at this moment stay as they are.
-- Arguments:
--   sure       frees only what a worker claimed whose session lives as long as the worker does, and has ended
--   alive_too  frees what living workers hold too, without counting their try
-- Returns how many.
CREATE OR REPLACE FUNCTION pgvec.free_items(collection text, versions text[], sure boolean DEFAULT false,
                                            alive_too boolean DEFAULT false)
RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    freed bigint;
BEGIN
    WITH held AS MATERIALIZED (
        SELECT w.item_id, w.holder, w.holder -> 'stays' = 'true' AS stays
          FROM pgvec.work_item w
         WHERE w.collection = free_items.collection AND w.model_version = ANY (versions) AND w.set_aside_at IS NULL
           AND w.lease IS NOT NULL AND w.leased_until > clock_timestamp()
           FOR UPDATE SKIP LOCKED
    ), session AS MATERIALIZED (
        SELECT s.holder, pgvec.holder_is_gone(s.holder) AS gone FROM (SELECT DISTINCT h.holder FROM held h) s
    )
    UPDATE pgvec.work_item w
       SET lease = NULL, leased_until = NULL,
           attempts = CASE WHEN s.gone THEN w.attempts ELSE greatest(w.attempts - 1, 0) END
      FROM held h JOIN session s ON s.holder IS NOT DISTINCT FROM h.holder
     WHERE w.item_id = h.item_id AND (alive_too OR s.gone AND (h.stays OR NOT sure));
    GET DIAGNOSTICS freed = ROW_COUNT;
    RETURN freed;
END
$$;
