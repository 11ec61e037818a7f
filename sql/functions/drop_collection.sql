-- Drops a collection with everything it holds: chunks, leaves, archived leaves, views, work items, catalog rows.
-- The events stay. Raises PV001; 2BP01 when something of the host's depends on the table or a view.
CREATE OR REPLACE FUNCTION pgvec.drop_collection(collection text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    label text;
BEGIN
    PERFORM FROM pgvec.collection k WHERE k.collection = c.collection FOR UPDATE;
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint) FROM pgvec.refuse_drop_collection(collection) r;
    FOR label IN SELECT v.model_version FROM pgvec.model_version v WHERE v.collection = c.collection LOOP
        PERFORM pgvec.drop_pinned_view(c.collection, label);
    END LOOP;
    FOR label IN SELECT v.leaf FROM pgvec.model_version v WHERE v.collection = c.collection AND v.state = 'retired' LOOP
        EXECUTE format('DROP TABLE IF EXISTS pgvec_archive.%I', label);
    END LOOP;
    EXECUTE format('DROP VIEW IF EXISTS %I.%I', c.host_schema, 'active_' || c.collection);
    EXECUTE format('DROP TABLE IF EXISTS %I.%I', c.host_schema, c.collection);
    PERFORM pgvec.log_event(c.collection, NULL, 'drop_collection', NULL, NULL,
        jsonb_build_object('versions', (SELECT coalesce(jsonb_agg(v.model_version), '[]') FROM pgvec.model_version v WHERE v.collection = c.collection)));
    DELETE FROM pgvec.work_item w WHERE w.collection = c.collection;
    DELETE FROM pgvec.tombstone d WHERE d.collection = c.collection;
    DELETE FROM pgvec.collection k WHERE k.collection = c.collection;
END
$$;
