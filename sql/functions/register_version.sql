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
    most integer := CASE c.storage WHEN 'vector' THEN 2000 ELSE 4000 END;
    used pgvec.model_version;
    stem text;
    new_leaf text;
    new_view text;
    turn integer;
BEGIN
    PERFORM pgvec.check_name(collection, model_version, true);
    IF dimensions IS NULL OR dimensions NOT BETWEEN 1 AND most THEN
        PERFORM pgvec.raise_error('PV007', format('%s dimensions do not fit: an HNSW index on %s takes 1 to %s.', coalesce(dimensions::text, 'NULL'), c.storage, most),
            jsonb_build_object('dimensions', dimensions, 'most', most, 'storage', c.storage),
            CASE WHEN c.storage = 'vector' AND dimensions <= 4000 THEN 'A collection with storage => ''halfvec'' takes up to 4000; or truncate the vectors (truncate_dim).' END);
    END IF;
    IF m IS NULL OR m NOT BETWEEN 2 AND 100 OR ef_construction IS NULL OR ef_construction NOT BETWEEN 4 AND 1000 OR ef_construction < 2 * m THEN
        PERFORM pgvec.raise_error('PV007', format('m = %s, ef_construction = %s do not fit.', m, ef_construction), jsonb_build_object('m', m, 'ef_construction', ef_construction),
            'm is 2 to 100, ef_construction 4 to 1000 and at least 2 * m.');
    END IF;
    IF embedder IS NULL OR jsonb_typeof(embedder) <> 'object' THEN
        PERFORM pgvec.raise_error('PV007', 'embedder must be a JSON object.', jsonb_build_object('embedder', embedder));
    END IF;

    -- The writers' lock first, then the row: every verb takes them in this order.
    PERFORM pgvec.lock_chunk_table(collection);
    UPDATE pgvec.collection k SET epoch = k.epoch + 1 WHERE k.collection = c.collection;
    SELECT v.* INTO used FROM pgvec.model_version v WHERE v.collection = c.collection AND v.model_version = register_version.model_version;
    IF FOUND THEN
        PERFORM pgvec.raise_error('PV004', format('the label %s was used before in %s: it is %s since %s.', model_version, collection, used.state,
                                                  to_char(coalesce(used.retired_at, used.abandoned_at, used.draining_at, used.activated_at, used.ready_at, used.registered_at), 'YYYY-MM-DD')),
            jsonb_build_object('collection', collection, 'model_version', model_version, 'state', used.state),
            'A label names one embedder for ever; choose a new one.');
    END IF;

    -- From the second version on writes are carried, by the owner of follow_writes: he must see every row.
    PERFORM FROM pg_class t, pg_proc f, pg_roles o
      WHERE t.oid = chunks AND t.relrowsecurity AND f.proname = 'follow_writes' AND f.pronamespace = 'pgvec'::regnamespace AND o.oid = f.proowner
        AND NOT o.rolsuper AND NOT o.rolbypassrls AND (t.relforcerowsecurity OR NOT pg_has_role(o.oid, t.relowner, 'USAGE'))
        AND EXISTS (SELECT FROM pgvec.model_version v WHERE v.collection = c.collection AND v.dropped_at IS NULL);
    IF FOUND THEN
        PERFORM pgvec.raise_error('42501', format('row-level security of %s holds the role that carries its writes: they would not reach every version.', collection),
            jsonb_build_object('collection', collection, 'owner', (SELECT f.proowner::regrole::text FROM pg_proc f WHERE f.oid = 'pgvec.follow_writes'::regproc)),
            format('ALTER ROLE %s BYPASSRLS;', (SELECT f.proowner::regrole FROM pg_proc f WHERE f.oid = 'pgvec.follow_writes'::regproc)));
    END IF;

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

    INSERT INTO pgvec.model_version (collection, model_version, dimensions, embedder, m, ef_construction, leaf, pinned_view)
    VALUES (c.collection, model_version, dimensions, embedder, m, ef_construction, new_leaf, new_view);
    PERFORM pgvec.inherit_work(c.collection, model_version);
    PERFORM pgvec.apply_grants(c.collection);
    PERFORM pgvec.log_event(collection, model_version, 'register_version', NULL, 'building', jsonb_build_object('dimensions', dimensions, 'embedder', embedder));
END
$$;
