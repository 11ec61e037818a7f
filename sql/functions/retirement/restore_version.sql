-- Brings an archived version back as draining: the one way out of retired, for a version whose leaf pgvec.archive still
-- has. No row is copied; chunks that were deleted in the meantime go. Returns when the version retires again.
-- The version comes back without its HNSW index (pgvec.build_index) and does not follow writes: a roll-back to it is
-- refused until pgvec.plan_backfill and a worker have caught it up. It keeps its draining_at, so that a plain roll_back
-- still goes to the version that was active last.
-- Raises: PV001, PV002, PV007 (the chunk table is lost), 55P03 (lock), and what pgvec.refuse_restore refuses: PV004,
-- PV005, PV040, PV041.
CREATE OR REPLACE FUNCTION pgvec.restore_version(collection text, model_version text)
RETURNS timestamptz LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    chunks CONSTANT regclass := pgvec.chunk_table(collection);
    leaf_name CONSTANT text := format('pgvec_leaves.%I', v.leaf);
BEGIN
    -- The lock against writers first, then the row: every verb takes them in this order.
    PERFORM pgvec.lock_chunk_table(collection);
    UPDATE pgvec.collection k SET epoch = k.epoch + 1 WHERE k.collection = c.collection;
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
       FROM pgvec.refuse_restore(collection, model_version) r;
    EXECUTE format('ALTER TABLE pgvec_archive.%I SET SCHEMA pgvec_leaves', v.leaf);
    PERFORM pgvec.copy_policies(chunks, v.leaf);
    EXECUTE format('ALTER TABLE %s ATTACH PARTITION %s FOR VALUES IN (%L)', chunks, leaf_name, v.model_version);
    UPDATE pgvec.model_version k
       SET state = 'draining', follows = false, retired_at = NULL, dropped_at = NULL,
           retire_at = clock_timestamp() + c.retire_after, leaf_relation = leaf_name::regclass
     WHERE k.collection = v.collection AND k.model_version = v.model_version AND k.state = 'retired'
    RETURNING k.* INTO v;
    -- Chunks that were deleted while the version was archived must not look like new ones of this version.
    EXECUTE format('DELETE FROM %s t USING pgvec.surplus_chunks(%L, %L) d WHERE t.chunk_id = d.chunk_id::%s',
                   leaf_name, v.collection, v.model_version, c.id_type);
    DELETE FROM pgvec.archive a
     WHERE a.collection = v.collection AND a.model_version = v.model_version AND a.kind = 'table';
    PERFORM pgvec.put_pinned_view(collection, model_version);
    PERFORM pgvec.apply_grants(collection);
    PERFORM pgvec.log_event(collection, model_version, 'restore', 'retired', 'draining',
        jsonb_build_object('retire_at', v.retire_at));
    RETURN v.retire_at;
END
$$;
