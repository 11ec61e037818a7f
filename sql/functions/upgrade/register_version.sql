-- Registers a version: its catalog row and its empty leaf, which follows every write from then on. No write is missed:
-- writers wait while the leaf is attached. The leaf is attached while it is empty, so that no row is read. A writer in
-- REPEATABLE READ whose snapshot is older fails with 40001.
-- Arguments:
--   embedder            the identity of the embedder, an object
--   m, ef_construction  options of the HNSW index
-- Raises: PV001 (no such collection), PV003 (label), PV004 (the label was used before), PV007 (an argument), 55P03 (no
-- lock), 42501 (row-level security that applies to the owner of the functions too, and a second version).
CREATE OR REPLACE FUNCTION pgvec.register_version(collection text, model_version text, dimensions integer,
                                                  embedder jsonb DEFAULT '{}', m integer DEFAULT 16,
                                                  ef_construction integer DEFAULT 64)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    chunks regclass := pgvec.chunk_table(collection);
    new_leaf text;
    new_view text;
    relation regclass;
BEGIN
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
       FROM pgvec.refuse_register_version(collection, model_version,
                jsonb_build_object('dimensions', dimensions, 'm', m, 'ef_construction', ef_construction,
                                   'embedder', embedder)) r;
    -- The writers' lock first, then the row: every verb takes them in this order.
    PERFORM pgvec.lock_chunk_table(collection);
    UPDATE pgvec.collection k SET epoch = k.epoch + 1 WHERE k.collection = c.collection;
    -- Again, because something may have changed during the wait for the locks.
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
       FROM pgvec.refuse_register_version(collection, model_version) r;

    SELECT n.leaf, n.pinned_view INTO new_leaf, new_view FROM pgvec.name_leaf(c, model_version) n;
    PERFORM pgvec.create_leaf('pgvec_leaves', new_leaf, collection, model_version, dimensions);
    PERFORM pgvec.copy_policies(chunks, new_leaf);
    relation := format('pgvec_leaves.%I', new_leaf)::regclass;
    EXECUTE format('ALTER TABLE %s ATTACH PARTITION %s FOR VALUES IN (%L)', chunks, relation, model_version);

    INSERT INTO pgvec.model_version (collection, model_version, dimensions, embedder, m, ef_construction,
                                     leaf, pinned_view, leaf_relation, chunk_relation, policy_mark)
    VALUES (c.collection, model_version, dimensions, embedder, m, ef_construction,
            new_leaf, new_view, relation, chunks, pgvec.policy_mark(chunks, relation));
    PERFORM pgvec.inherit_work(c.collection, model_version);
    PERFORM pgvec.apply_grants(c.collection);
    PERFORM pgvec.log_event(collection, model_version, 'register_version', NULL, 'building',
        jsonb_build_object('dimensions', dimensions, 'embedder', embedder));
END
$$;
