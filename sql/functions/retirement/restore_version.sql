-- Brings an archived version back as draining: the one exception to "retired is never left", and only while
-- pgvec.archive says that its leaf was kept. Nothing is copied; what was deleted meanwhile goes. It comes back without its HNSW index
-- (pgvec.build_index) and does not follow writes: a roll-back to it is refused until pgvec.plan_backfill and a worker have
-- caught it up. draining_at stays what it was, so that a plain roll_back still goes to the version that was active last.
-- Returns when it retires again. Raises PV001, PV002, PV004 (the pinned view's name was taken meanwhile), PV005 (not
-- retired), PV040 (nothing was kept), PV041 (the chunk table's columns changed since), 55P03 (lock).
CREATE OR REPLACE FUNCTION pgvec.restore_version(collection text, model_version text)
RETURNS timestamptz LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    chunks regclass := pgvec.chunk_table(collection);
    kept regclass;
    missing text[];
    surplus text[];
BEGIN
    -- The writers' lock first, then the row: every verb takes them in this order.
    PERFORM pgvec.lock_chunk_table(collection);
    UPDATE pgvec.collection k SET epoch = k.epoch + 1 WHERE k.collection = c.collection;
    v := pgvec.get_version(collection, model_version);
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
       FROM pgvec.refuse_state(collection, model_version, 'restore') r;
    IF NOT EXISTS (SELECT FROM pgvec.archive a WHERE a.collection = v.collection AND a.model_version = v.model_version AND a.kind = 'table') THEN
        PERFORM pgvec.raise_error('PV040', format('version %s of %s was not kept in this database.', model_version, collection),
            jsonb_build_object('collection', collection, 'model_version', model_version),
            coalesce((SELECT format('It was exported to %s: pgvec restore %s --from FILE.', a.location, v.model_version) FROM pgvec.archive a
                       WHERE a.collection = v.collection AND a.model_version = v.model_version AND a.kind = 'file'),
                     'It was dropped; register and fill a version with a new label.'));
    END IF;
    kept := pgvec.archive_relation(collection, model_version)::regclass;
    SELECT array_agg(h.f) FILTER (WHERE t.f IS NULL), array_agg(t.f) FILTER (WHERE h.f IS NULL) INTO missing, surplus
      FROM (SELECT format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)) AS f FROM pg_catalog.pg_attribute a WHERE a.attrelid = chunks AND a.attnum > 0 AND NOT a.attisdropped) h
      FULL JOIN (SELECT format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)) AS f FROM pg_catalog.pg_attribute a WHERE a.attrelid = kept AND a.attnum > 0 AND NOT a.attisdropped) t ON t.f = h.f;
    IF missing IS NOT NULL OR surplus IS NOT NULL THEN
        PERFORM pgvec.raise_error('PV041', format('the columns of %s changed since %s was archived.', chunks, model_version),
            jsonb_build_object('collection', collection, 'model_version', model_version, 'missing', coalesce(missing, '{}'), 'surplus', coalesce(surplus, '{}'), 'archive', kept::text),
            format('Bring the archive up to it: ALTER TABLE %s ADD COLUMN … / DROP COLUMN …; then restore again.', kept));
    END IF;
    -- The pinned view went when the version retired; what has its name by now is not ours.
    IF to_regclass(format('%I.%I', c.host_schema, v.pinned_view)) IS NOT NULL THEN
        PERFORM pgvec.raise_error('PV004', format('the name %I.%I is taken: the pinned view of %s needs it.', c.host_schema, v.pinned_view, model_version),
            jsonb_build_object('collection', collection, 'model_version', model_version, 'relation', v.pinned_view), 'Rename what has it.');
    END IF;
    EXECUTE format('ALTER TABLE pgvec_archive.%I SET SCHEMA pgvec_leaves', v.leaf);
    PERFORM pgvec.copy_policies(chunks, v.leaf);
    EXECUTE format('ALTER TABLE %s ATTACH PARTITION pgvec_leaves.%I FOR VALUES IN (%L)', chunks, v.leaf, v.model_version);
    UPDATE pgvec.model_version k SET state = 'draining', follows = false, retired_at = NULL, dropped_at = NULL, retire_at = clock_timestamp() + c.retire_after,
           leaf_relation = format('pgvec_leaves.%I', v.leaf)::regclass
     WHERE k.collection = v.collection AND k.model_version = v.model_version AND k.state = 'retired'
    RETURNING k.* INTO v;
    -- What was deleted while it lay in the archive must not pass for news of this version.
    EXECUTE format('DELETE FROM pgvec_leaves.%I t USING pgvec.surplus_chunks(%L, %L) d WHERE t.chunk_id = d.chunk_id::%s', v.leaf, v.collection, v.model_version, c.id_type);
    DELETE FROM pgvec.archive a WHERE a.collection = v.collection AND a.model_version = v.model_version AND a.kind = 'table';
    PERFORM pgvec.put_pinned_view(collection, model_version);
    PERFORM pgvec.apply_grants(collection);
    PERFORM pgvec.log_event(collection, model_version, 'restore', 'retired', 'draining', jsonb_build_object('retire_at', v.retire_at));
    RETURN v.retire_at;
END
$$;
