-- The last step of an adoption, in one transaction: the table becomes the leaf of the active version of a new
-- collection, and a view takes its name. No row is read or written. Readers and writers of the table wait for it, for
-- milliseconds; it waits for them for lock_timeout at most, and then nothing has changed.
-- Raises: PV001 (no adoption was begun), PV007 (a step is still to be done; an index would have to be built), 55P03,
-- and what pgvec.refuse_adoption finds now.
CREATE OR REPLACE FUNCTION pgvec.swap_in(collection text, lock_timeout interval DEFAULT '200 ms')
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    a pgvec.adoption := pgvec.get_adoption(collection);
    old_timeout CONSTANT text := current_setting('lock_timeout');
    indexes_before oid[];
    c pgvec.collection;
BEGIN
    IF a.adopted_at IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pgvec.check_patience(lock_timeout, 1);
    PERFORM pgvec.limit_lock_wait(clock_timestamp() + swap_in.lock_timeout);
    PERFORM pgvec.lock_adopted_table(a);
    -- Under the lock: nothing changes any more.
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
       FROM pgvec.refuse_adoption(a.source, a.collection, a.model_version, a.columns, a.options) r;
    PERFORM pgvec.raise_error('PV007', format('%s is not prepared yet: %s.', a.source, s.step),
                jsonb_build_object('collection', a.collection, 'step', s.step, 'statement', s.statement),
                'Run the statements of pgvec.adoption_steps first, or: pgvec adopt.')
       FROM pgvec.adoption_steps(collection) s WHERE s.step <> 'swap';
    indexes_before := ARRAY(SELECT i.indexrelid FROM pg_catalog.pg_index i WHERE i.indrelid = a.source);

    INSERT INTO pgvec.collection AS k (collection, host_schema, distance, storage, id_type, retire_after,
                                       require_query_version, follow_while_draining)
    SELECT a.collection, a.host_schema, o.distance, o.storage, o.id_type, o.retire_after, o.require_query_version,
           o.follow_while_draining
      FROM jsonb_populate_record(NULL::pgvec.collection, a.options) o
    RETURNING k.* INTO c;
    PERFORM pgvec.move_adopted_table(a);
    c.chunk_table := pgvec.create_chunk_table(c);
    UPDATE pgvec.collection k SET chunk_table = c.chunk_table WHERE k.collection = c.collection;
    PERFORM pgvec.add_adopted_columns(a, c.chunk_table);
    a.intake := pgvec.create_intake(a, c.chunk_table);
    PERFORM pgvec.create_chunk_triggers(c);
    PERFORM pgvec.create_intake_triggers(a);
    PERFORM pgvec.lift_policies(a, c.chunk_table);
    PERFORM pgvec.copy_policies(c.chunk_table, a.leaf || '_in');
    IF EXISTS (SELECT FROM pg_catalog.pg_index i
                WHERE i.indrelid = a.source AND i.indexrelid <> ALL (indexes_before)) THEN
        PERFORM pgvec.raise_error('PV007', format('%s: an index would have to be built while it is locked.', a.source),
            jsonb_build_object('collection', a.collection), 'This is a fault of pgvec; nothing was changed.');
    END IF;
    PERFORM pgvec.register_adopted(a, c);
    PERFORM pgvec.guard_leaf(a.source);
    EXECUTE format('CREATE TRIGGER pgvec_early_truncate BEFORE TRUNCATE ON %s '
                   'FOR EACH STATEMENT EXECUTE FUNCTION pgvec.refuse_early_truncate()', a.source);
    a.old_view := pgvec.put_old_view(a);
    UPDATE pgvec.adoption k SET intake = a.intake, old_view = a.old_view, adopted_at = clock_timestamp()
     WHERE k.collection = a.collection;
    PERFORM pgvec.put_pinned_view(a.collection, a.model_version);
    PERFORM pgvec.put_routing_view(a.collection);
    PERFORM pgvec.put_doors(a.collection);
    PERFORM set_config('lock_timeout', old_timeout, true);
END
$$;
