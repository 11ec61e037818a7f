-- For fail_work: sets an item aside with its error, and records the event.
CREATE OR REPLACE FUNCTION pgvec.set_item_aside(item pgvec.work_item, error text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE pgvec.work_item w
       SET lease = NULL, leased_until = NULL, last_error = error, set_aside_at = clock_timestamp()
     WHERE w.item_id = item.item_id;
    PERFORM pgvec.log_event(item.collection, item.model_version, 'set_aside', NULL, NULL,
        jsonb_build_object('source_version', item.source_version, 'lo', item.lo, 'hi', item.hi,
                           'attempts', item.attempts, 'error', error));
END
$$;
