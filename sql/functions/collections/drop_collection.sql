-- Drops a collection with everything it holds: chunks, leaves, archived leaves, views, work items, catalog rows.
-- The events stay. It drops only what pgvec made, under whatever name it has now, and leaves alone another relation
-- that has taken one of these names.
-- Raises: PV001, PV004 (another role owns one of the views), 55P03 (lock), 2BP01 (a host object depends on
-- the table or a view).
CREATE OR REPLACE FUNCTION pgvec.drop_collection(collection text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    label text;
    archived_leaf text;
    old_timeout CONSTANT text := pgvec.default_lock_wait();
    chunks CONSTANT regclass := (SELECT t.oid FROM pg_catalog.pg_class t
                                  WHERE t.oid = c.chunk_table AND t.relkind = 'p');
BEGIN
    IF chunks IS NOT NULL THEN
        PERFORM pgvec.take_lock(c.collection, chunks, 'ACCESS EXCLUSIVE');
    END IF;
    PERFORM FROM pgvec.collection k WHERE k.collection = c.collection FOR UPDATE;
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint) FROM pgvec.refuse_drop_collection(collection) r;
    FOR label IN SELECT v.model_version FROM pgvec.model_version v WHERE v.collection = c.collection LOOP
        PERFORM pgvec.drop_pinned_view(c.collection, label);
    END LOOP;
    FOR archived_leaf IN SELECT v.leaf FROM pgvec.model_version v
                          WHERE v.collection = c.collection AND v.state = 'retired'
    LOOP
        EXECUTE format('DROP TABLE IF EXISTS pgvec_archive.%I', archived_leaf);
    END LOOP;
    PERFORM pgvec.drop_own_view(c.collection, c.routing_view);
    PERFORM pgvec.drop_own_view(c.collection, a.old_view) FROM pgvec.adoption a WHERE a.collection = c.collection;
    IF chunks IS NOT NULL THEN
        EXECUTE format('DROP TABLE %s', chunks);
    END IF;
    EXECUTE format('DROP FUNCTION IF EXISTS pgvec.%I(text, jsonb), pgvec.%I(text, jsonb)',
                   'queue_' || c.collection, 'waiting_' || c.collection);
    PERFORM set_config('lock_timeout', old_timeout, true);
    PERFORM pgvec.log_event(c.collection, NULL, 'drop_collection', NULL, NULL,
        jsonb_build_object('versions', (SELECT coalesce(jsonb_agg(v.model_version), '[]') FROM pgvec.model_version v
                                         WHERE v.collection = c.collection)));
    DELETE FROM pgvec.work_item w WHERE w.collection = c.collection;
    DELETE FROM pgvec.tombstone d WHERE d.collection = c.collection;
    DELETE FROM pgvec.adoption a WHERE a.collection = c.collection;
    DELETE FROM pgvec.collection k WHERE k.collection = c.collection;
END
$$;
