-- Creates a collection: the chunk table (in host_schema, by default the caller's current schema), its triggers and its
-- empty routing view. Nothing can be written until a version is registered.
-- Raises PV003 (name), PV004 (exists), PV007 (argument).
CREATE OR REPLACE FUNCTION pgvec.create_collection(collection text, distance text DEFAULT 'cosine', storage text DEFAULT 'vector',
                                                   id_type text DEFAULT 'uuid', retire_after interval DEFAULT '7 days',
                                                   require_query_version boolean DEFAULT true, follow_while_draining boolean DEFAULT true,
                                                   host_schema text DEFAULT current_schema())
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    taken text;
    id_default text;
    id_sequence text;
BEGIN
    PERFORM pgvec.check_name(collection);
    IF host_schema IS NULL THEN
        PERFORM pgvec.raise_error('PV007', 'the search_path names no schema that exists: there is nowhere to put the chunk table.', '{}', 'SET search_path = public;');
    END IF;
    IF to_regnamespace(quote_ident(host_schema)) IS NULL THEN
        PERFORM pgvec.raise_error('PV007', format('there is no schema %I.', host_schema), jsonb_build_object('host_schema', host_schema), 'Create it, or name another.');
    END IF;
    IF distance IS NULL OR distance NOT IN ('cosine', 'l2', 'inner_product') THEN
        PERFORM pgvec.raise_error('PV007', format('unknown distance %L.', distance), jsonb_build_object('distance', distance), 'Use cosine, l2 or inner_product.');
    END IF;
    IF storage IS NULL OR storage NOT IN ('vector', 'halfvec') THEN
        PERFORM pgvec.raise_error('PV007', format('unknown storage %L.', storage), jsonb_build_object('storage', storage), 'Use vector or halfvec.');
    END IF;
    IF id_type IS NULL OR id_type NOT IN ('uuid', 'bigint', 'text') THEN
        PERFORM pgvec.raise_error('PV007', format('unknown id_type %L.', id_type), jsonb_build_object('id_type', id_type), 'Use uuid, bigint or text.');
    END IF;
    PERFORM pgvec.check_interval('retire_after', retire_after);
    IF EXISTS (SELECT FROM pgvec.collection c WHERE c.collection = create_collection.collection) THEN
        PERFORM pgvec.raise_error('PV004', format('collection %s already exists.', collection), jsonb_build_object('collection', collection), 'Use it, or choose another name.');
    END IF;
    SELECT r INTO taken FROM unnest(ARRAY[collection, 'active_' || collection] || CASE WHEN id_type = 'bigint' THEN ARRAY[collection || '_chunk_id_seq'] ELSE '{}' END) r
     WHERE to_regclass(format('%I.%I', host_schema, r)) IS NOT NULL
        -- A pinned view that is still to come has its name already; so has a leaf, whose name its policies borrow.
        OR EXISTS (SELECT FROM pgvec.model_version v JOIN pgvec.collection c ON c.collection = v.collection
                    WHERE v.dropped_at IS NULL AND ((c.host_schema = create_collection.host_schema AND v.pinned_view = r) OR v.leaf = create_collection.collection)) LIMIT 1;
    IF taken IS NOT NULL THEN
        PERFORM pgvec.raise_error('PV004', format('the name %I.%I is taken: a table, a view or a version of another collection has it.', host_schema, taken), jsonb_build_object('relation', taken, 'schema', host_schema),
            'Choose another name for the collection.');
    END IF;

    INSERT INTO pgvec.collection (collection, host_schema, distance, storage, id_type, retire_after, require_query_version, follow_while_draining)
    VALUES (collection, host_schema, distance, storage, id_type, retire_after, coalesce(require_query_version, true), coalesce(follow_while_draining, true));

    id_sequence := format('%I.%I', host_schema, collection || '_chunk_id_seq');
    id_default := CASE id_type WHEN 'uuid' THEN 'DEFAULT pg_catalog.gen_random_uuid()'
                               WHEN 'bigint' THEN format('DEFAULT pg_catalog.nextval(%L)', id_sequence)
                               ELSE '' END;
    IF id_type = 'bigint' THEN
        EXECUTE format('CREATE SEQUENCE %s', id_sequence);
    END IF;
    EXECUTE format($ddl$
        CREATE TABLE %1$I.%2$I (
            chunk_id %3$s NOT NULL %4$s,
            model_version text NOT NULL,
            document_id text,
            position integer,
            content text NOT NULL,
            metadata jsonb NOT NULL DEFAULT '{}',
            embedding %5$I.%6$I NOT NULL,
            written_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp() CONSTRAINT pgvec_written_at CHECK (pg_catalog.isfinite(written_at)),
            PRIMARY KEY (chunk_id, model_version)
        ) PARTITION BY LIST (model_version)
    $ddl$, host_schema, collection, id_type, id_default, pgvec.vector_schema(), storage);
    IF id_type = 'bigint' THEN
        EXECUTE format('ALTER SEQUENCE %s OWNED BY %I.%I.chunk_id', id_sequence, host_schema, collection);
    END IF;
    EXECUTE format('CREATE INDEX ON %I.%I (document_id)', host_schema, collection);
    EXECUTE format('COMMENT ON TABLE %I.%I IS %L', host_schema, collection, 'pgvec-versions: chunks, one partition a model version; query ' || 'active_' || collection);
    EXECUTE format('CREATE TRIGGER pgvec_check_update BEFORE UPDATE ON %I.%I FOR EACH ROW EXECUTE FUNCTION pgvec.check_chunk_update()', host_schema, collection);
    EXECUTE format('CREATE TRIGGER pgvec_follow_insert AFTER INSERT ON %I.%I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION pgvec.follow_writes(%L)', host_schema, collection, collection);
    EXECUTE format('CREATE TRIGGER pgvec_follow_update AFTER UPDATE ON %I.%I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION pgvec.follow_writes(%L)', host_schema, collection, collection);
    EXECUTE format('CREATE TRIGGER pgvec_follow_delete AFTER DELETE ON %I.%I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION pgvec.follow_writes(%L)', host_schema, collection, collection);
    PERFORM pgvec.put_routing_view(collection);
    PERFORM pgvec.log_event(collection, NULL, 'create_collection', NULL, NULL,
        jsonb_build_object('distance', distance, 'storage', storage, 'id_type', id_type, 'retire_after', retire_after, 'require_query_version', require_query_version));
END
$$;
