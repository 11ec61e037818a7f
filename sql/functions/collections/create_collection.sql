-- Creates a collection: the chunk table (in host_schema, by default the caller's current schema), its triggers and its
-- empty routing view. Nothing can be written until a version is registered.
-- Raises PV003 (name), PV004 (exists), PV007 (argument).
CREATE OR REPLACE FUNCTION pgvec.create_collection(collection text, distance text DEFAULT 'cosine', storage text DEFAULT 'vector',
                                                   id_type text DEFAULT 'uuid', retire_after interval DEFAULT '7 days',
                                                   require_query_version boolean DEFAULT true, follow_while_draining boolean DEFAULT true,
                                                   host_schema text DEFAULT current_schema())
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    id_default text;
    id_sequence text;
BEGIN
    -- The answer of this moment: of two that create one name at once, the second meets the primary key.
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
       FROM pgvec.refuse_create_collection(collection, host_schema,
                jsonb_build_object('distance', distance, 'storage', storage, 'id_type', id_type,
                                   'retire_after', retire_after)) r;
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
            turn bigint NOT NULL DEFAULT 0,
            PRIMARY KEY (chunk_id, model_version)
        ) PARTITION BY LIST (model_version)
    $ddl$, host_schema, collection, id_type, id_default, pgvec.vector_schema(), storage);
    UPDATE pgvec.collection k
       SET chunk_table = format('%I.%I', create_collection.host_schema, create_collection.collection)::regclass
     WHERE k.collection = create_collection.collection;
    IF id_type = 'bigint' THEN
        EXECUTE format('ALTER SEQUENCE %s OWNED BY %I.%I.chunk_id', id_sequence, host_schema, collection);
    END IF;
    EXECUTE format('CREATE INDEX ON %I.%I (document_id)', host_schema, collection);
    EXECUTE format('COMMENT ON TABLE %I.%I IS %L', host_schema, collection, 'pgvec-versions: chunks, one partition a model version; query ' || 'active_' || collection);
    EXECUTE format('CREATE TRIGGER pgvec_check_label BEFORE UPDATE ON %I.%I FOR EACH ROW '
                   'WHEN (NEW.model_version IS DISTINCT FROM OLD.model_version) EXECUTE FUNCTION pgvec.refuse_relabel()', host_schema, collection);
    EXECUTE format('CREATE TRIGGER pgvec_take_turn BEFORE INSERT ON %I.%I FOR EACH ROW WHEN (NEW.turn = 0) EXECUTE FUNCTION pgvec.take_turn()', host_schema, collection);
    -- Our own carrying brings the turn of the row that it copies, which is always another one.
    EXECUTE format('CREATE TRIGGER pgvec_check_update BEFORE UPDATE ON %I.%I FOR EACH ROW '
                   'WHEN (NEW.turn = OLD.turn) EXECUTE FUNCTION pgvec.check_chunk_update()', host_schema, collection);
    EXECUTE format('CREATE TRIGGER pgvec_follow_insert AFTER INSERT ON %I.%I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION pgvec.follow_writes(%L)', host_schema, collection, collection);
    EXECUTE format('CREATE TRIGGER pgvec_follow_update AFTER UPDATE ON %I.%I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION pgvec.follow_writes(%L)', host_schema, collection, collection);
    EXECUTE format('CREATE TRIGGER pgvec_follow_delete AFTER DELETE ON %I.%I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION pgvec.follow_writes(%L)', host_schema, collection, collection);
    PERFORM pgvec.put_routing_view(collection);
    PERFORM pgvec.put_doors(collection);
    PERFORM pgvec.log_event(collection, NULL, 'create_collection', NULL, NULL,
        jsonb_build_object('distance', distance, 'storage', storage, 'id_type', id_type, 'retire_after', retire_after, 'require_query_version', require_query_version));
END
$$;
