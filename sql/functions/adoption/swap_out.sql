-- Undoes an adoption, in one transaction: the table has its place, name, columns, key and indexes again, and the
-- collection is gone. No row is read or rewritten: the type of the vectors gets its length back without a scan, because
-- the leaf's CHECK has proved it.
-- Raises: PV001 (no adoption), PV007 (a step is still to be done), 55P03, and what pgvec.refuse_undo finds.
CREATE OR REPLACE FUNCTION pgvec.swap_out(collection text, lock_timeout interval DEFAULT '200 ms')
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    a CONSTANT pgvec.adoption := pgvec.get_adoption(collection);
    old_timeout CONSTANT text := current_setting('lock_timeout');
BEGIN
    PERFORM pgvec.check_patience(lock_timeout, 1);
    PERFORM pgvec.limit_lock_wait(clock_timestamp() + swap_out.lock_timeout);
    IF a.adopted_at IS NOT NULL THEN
        PERFORM pgvec.take_lock(a.collection, a.intake, 'ACCESS EXCLUSIVE');
    END IF;
    PERFORM pgvec.lock_adopted_table(a);
    PERFORM pgvec.raise_error('PV007', format('the way back of %s is not prepared yet: %s.', collection, s.step),
                jsonb_build_object('collection', a.collection, 'step', s.step, 'statement', s.statement),
                'Run the statements of pgvec.undo_steps first, or: pgvec adopt --undo.')
       FROM pgvec.undo_steps(collection) s WHERE s.step <> 'swap back';
    IF a.adopted_at IS NOT NULL THEN
        PERFORM pgvec.drop_intake(a.collection, a.model_version);
        -- The table takes its sequence back.
        EXECUTE format('ALTER TABLE %s ALTER COLUMN chunk_id DROP DEFAULT', pgvec.chunk_table(collection));
        PERFORM pgvec.put_back_table(a);
        PERFORM pgvec.drop_collection(a.collection);
    END IF;
    PERFORM pgvec.put_back_columns(a);
    DELETE FROM pgvec.adoption k WHERE k.collection = a.collection;
    PERFORM pgvec.log_event(a.collection, a.model_version, 'undo_adoption', NULL, NULL,
                            jsonb_build_object('table', format('%I.%I', a.host_schema, a.table_name)));
    PERFORM set_config('lock_timeout', old_timeout, true);
END
$$;
