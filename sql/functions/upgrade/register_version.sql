-- Registers a version: its catalog row and its empty leaf, which follows every write from now on.
-- Promise: no write is missed. Writers wait while the leaf is attached; a REPEATABLE READ writer
-- with an older snapshot fails with 40001. Nothing is scanned: the leaf is attached while empty.
-- Raises PV001, PV003 (label), PV004 (label used before), PV007 (argument), 55P03 (lock),
-- 42501 (row-level security that holds the owner of the functions too, and a second version).
CREATE OR REPLACE FUNCTION pgvec.register_version(collection text, model_version text, dimensions integer, embedder jsonb DEFAULT '{}',
                                                  m integer DEFAULT 16, ef_construction integer DEFAULT 64)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    chunks regclass := pgvec.chunk_table(collection);
    stem text;
    new_leaf text;
    new_view text;
    turn integer;
BEGIN
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
       FROM pgvec.refuse_register_version(collection, model_version,
                jsonb_build_object('dimensions', dimensions, 'm', m, 'ef_construction', ef_construction,
                                   'embedder', embedder)) r;
    -- The writers' lock first, then the row: every verb takes them in this order.
    PERFORM pgvec.lock_chunk_table(collection);
    UPDATE pgvec.collection k SET epoch = k.epoch + 1 WHERE k.collection = c.collection;
    -- What may have changed while the locks were waited for.
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
       FROM pgvec.refuse_register_version(collection, model_version) r;

    stem := lower(regexp_replace(model_version, '[^A-Za-z0-9_]', '_', 'g'));
    -- Two labels may differ only in signs that a plain identifier cannot show. No leaf is named like an index of another,
    -- nor like a collection: a leaf bears its collection's name while its policies are made.
    LOOP
        new_leaf := c.collection || '__' || stem || coalesce('_' || turn, '');
        new_view := c.collection || '_at_' || stem || coalesce('_' || turn, '');
        EXIT WHEN new_leaf !~ '_hnsw$' AND to_regclass(format('pgvec_leaves.%I', new_leaf)) IS NULL AND to_regclass(format('%I.%I', c.host_schema, new_view)) IS NULL
            AND NOT EXISTS (SELECT FROM pgvec.collection k WHERE k.collection = new_leaf)
            AND NOT EXISTS (SELECT FROM pgvec.model_version v WHERE v.leaf = new_leaf OR (v.collection = c.collection AND v.pinned_view = new_view));
        turn := coalesce(turn, 1) + 1;
    END LOOP;

    PERFORM pgvec.create_leaf('pgvec_leaves', new_leaf, collection, model_version, dimensions);
    PERFORM pgvec.copy_policies(chunks, new_leaf);
    EXECUTE format('ALTER TABLE %s ATTACH PARTITION pgvec_leaves.%I FOR VALUES IN (%L)', chunks, new_leaf, model_version);

    INSERT INTO pgvec.model_version (collection, model_version, dimensions, embedder, m, ef_construction, leaf, pinned_view, leaf_relation, chunk_relation, policy_mark)
    VALUES (c.collection, model_version, dimensions, embedder, m, ef_construction, new_leaf, new_view,
            format('pgvec_leaves.%I', new_leaf)::regclass, chunks,
            pgvec.policy_mark(chunks, format('pgvec_leaves.%I', new_leaf)::regclass));
    PERFORM pgvec.inherit_work(c.collection, model_version);
    PERFORM pgvec.apply_grants(c.collection);
    PERFORM pgvec.log_event(collection, model_version, 'register_version', NULL, 'building', jsonb_build_object('dimensions', dimensions, 'embedder', embedder));
END
$$;
