-- Brings every leaf up to what one statement wrote and took away; see pgvec.carry_deletes and pgvec.carry_writes.
-- A delete's turn is drawn here, when the statement has waited for all its rows.
-- Deferred: while a version's index is built (its leaf is locked against writes), and in a transaction above
-- READ COMMITTED (which cannot see what a worker has just written), every change becomes a work item.
CREATE OR REPLACE FUNCTION pgvec.carry_changes(c pgvec.collection, written pgvec.version_chunks[],
                                               gone pgvec.version_chunks[],
                                               owned pgvec.owned_chunk[], stale_reader boolean)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    delete_turn CONSTANT bigint := CASE WHEN gone <> '{}' THEN nextval('pgvec.turn') END;
    s pgvec.model_version;
    t pgvec.model_version;
    w pgvec.version_chunks;
    deferred boolean;
BEGIN
    IF gone <> '{}' THEN
        INSERT INTO pgvec.tombstone (collection, chunk_id, turn, owner)
        SELECT DISTINCT c.collection, d.chunk_id, delete_turn, o.owner
          FROM unnest(gone) g CROSS JOIN unnest(g.chunk_ids) d (chunk_id)
          LEFT JOIN unnest(owned) o ON o.model_version = g.model_version AND o.chunk_id = d.chunk_id;
    END IF;
    FOR t IN SELECT v.* FROM pgvec.model_version v WHERE v.collection = c.collection AND v.dropped_at IS NULL ORDER BY v.model_version LOOP
        deferred := stale_reader OR NOT pgvec.try_share_leaf(format('pgvec_leaves.%I', t.leaf)::regclass);
        FOREACH w IN ARRAY gone LOOP
            CONTINUE WHEN w.model_version = t.model_version;
            PERFORM pgvec.carry_deletes(c, w.model_version, t, w.chunk_ids, delete_turn, deferred,
                (SELECT g.chunk_ids FROM unnest(gone) g WHERE g.model_version = t.model_version));
        END LOOP;
        CONTINUE WHEN NOT t.follows OR t.state = 'abandoned';
        FOREACH w IN ARRAY written LOOP
            CONTINUE WHEN w.model_version = t.model_version;
            s := pgvec.get_version(c.collection, w.model_version);
            PERFORM pgvec.carry_writes(c, s, t, w.chunk_ids, deferred);
        END LOOP;
    END LOOP;
END
$$;
