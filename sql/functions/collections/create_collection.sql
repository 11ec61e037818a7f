-- Creates a collection: the chunk table (in host_schema, by default the caller's current schema), its triggers and its
-- empty routing view. You can write to it once a version is registered.
-- Raises: PV003 (name), PV004 (exists), PV007 (argument), 42501 (no right to create tables in that schema).
CREATE OR REPLACE FUNCTION pgvec.create_collection(collection text, distance text DEFAULT 'cosine',
                                                   storage text DEFAULT 'vector', id_type text DEFAULT 'uuid',
                                                   retire_after interval DEFAULT '7 days',
                                                   require_query_version boolean DEFAULT true,
                                                   follow_while_draining boolean DEFAULT true,
                                                   host_schema text DEFAULT current_schema())
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection;
BEGIN
    -- True at this moment: of two sessions that create one name at once, the second fails on the primary key.
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
       FROM pgvec.refuse_create_collection(collection, host_schema,
                jsonb_build_object('distance', distance, 'storage', storage, 'id_type', id_type,
                                   'retire_after', retire_after)) r;
    INSERT INTO pgvec.collection AS k (collection, host_schema, distance, storage, id_type, retire_after,
                                       require_query_version, follow_while_draining)
    VALUES (collection, host_schema, distance, storage, id_type, retire_after,
            coalesce(require_query_version, true), coalesce(follow_while_draining, true))
    RETURNING k.* INTO c;
    c.chunk_table := pgvec.create_chunk_table(c);
    UPDATE pgvec.collection k SET chunk_table = c.chunk_table WHERE k.collection = c.collection;
    PERFORM pgvec.create_chunk_triggers(c);
    PERFORM pgvec.put_routing_view(collection);
    PERFORM pgvec.put_doors(collection);
    PERFORM pgvec.log_event(collection, NULL, 'create_collection', NULL, NULL,
        jsonb_build_object('distance', distance, 'storage', storage, 'id_type', id_type, 'retire_after', retire_after,
                           'require_query_version', require_query_version));
END
$$;
