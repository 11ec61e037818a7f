-- Gives up a version that was never active. It stops following writes, and its pinned view and its work items go at
-- once. So does its leaf, if no session uses it or the chunk table and pgvec.refuse_removal gives no reason to keep it;
-- otherwise an event says why it stays, and it goes with the next retire_due. Until then no write fails because of it.
-- The drop locks the chunk table against all sessions until the transaction ends; readers of the routing view go on.
-- Raises: PV001 (no such collection), PV002 (no such version), PV005 (active, draining or gone).
CREATE OR REPLACE FUNCTION pgvec.abandon(collection text, model_version text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgvec.get_version(collection, model_version);
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
       FROM pgvec.refuse_abandon(collection, model_version) r;
    PERFORM pgvec.lock_chunk_table(collection);
    UPDATE pgvec.collection c SET epoch = c.epoch + 1 WHERE c.collection = abandon.collection;
    PERFORM pgvec.change_state(collection, model_version, 'abandon', 'abandoned');
    PERFORM pgvec.drop_pinned_view(collection, model_version);
    DELETE FROM pgvec.work_item w WHERE w.collection = abandon.collection AND w.model_version = abandon.model_version;
    -- An older snapshot could hide a write that the leaf must still feed to another version.
    IF current_setting('transaction_isolation') IN ('read committed', 'read uncommitted') THEN
        -- One short try: writers wait behind our lock.
        PERFORM pgvec.retire_version(collection, model_version, attempts => 1);
    END IF;
END
$$;
