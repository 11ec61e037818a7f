-- Brings every leaf up to date with what one statement wrote and deleted; see pgvec.carry_deletes and
-- pgvec.carry_writes. A delete draws its turn here, after the statement has waited for all its rows.
-- Deferred: every change becomes a work item while a version's index is built (its leaf is locked against writes), and
-- in a transaction above READ COMMITTED (which cannot see what a worker has just written).
CREATE OR REPLACE FUNCTION pgvec.carry_changes(c pgvec.collection, written pgvec.version_chunks[],
                                               deleted pgvec.version_chunks[],
                                               owned pgvec.owned_chunk[], stale_reader boolean)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    delete_turn CONSTANT bigint := CASE WHEN deleted <> '{}' THEN nextval('pgvec.turn') END;
    source pgvec.model_version;
    target pgvec.model_version;
    change pgvec.version_chunks;
    deferred boolean;
BEGIN
    IF deleted <> '{}' THEN
        INSERT INTO pgvec.tombstone (collection, chunk_id, turn, owner)
        SELECT DISTINCT c.collection, i.chunk_id, delete_turn, o.owner
          FROM unnest(deleted) d CROSS JOIN unnest(d.chunk_ids) i (chunk_id)
          LEFT JOIN unnest(owned) o ON o.model_version = d.model_version AND o.chunk_id = i.chunk_id;
    END IF;
    FOR target IN SELECT v.* FROM pgvec.model_version v
                   WHERE v.collection = c.collection AND v.dropped_at IS NULL ORDER BY v.model_version
    LOOP
        deferred := stale_reader OR NOT pgvec.try_share_leaf(format('pgvec_leaves.%I', target.leaf)::regclass);
        FOREACH change IN ARRAY deleted LOOP
            CONTINUE WHEN change.model_version = target.model_version;
            PERFORM pgvec.carry_deletes(c, change.model_version, target, change.chunk_ids, delete_turn, deferred,
                (SELECT d.chunk_ids FROM unnest(deleted) d WHERE d.model_version = target.model_version));
        END LOOP;
        CONTINUE WHEN NOT target.follows OR target.state = 'abandoned';
        FOREACH change IN ARRAY written LOOP
            CONTINUE WHEN change.model_version = target.model_version;
            source := pgvec.get_version(c.collection, change.model_version);
            PERFORM pgvec.carry_writes(c, source, target, change.chunk_ids, deferred);
        END LOOP;
    END LOOP;
END
$$;
