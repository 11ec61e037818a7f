-- Creates the two doors of a collection: functions that run with the rights of the catalog's owner, and reach the work
-- items, events and fingerprints of this one collection.
--   pgvec.queue_<collection>(verb, arguments)    for its workers; pgvec.queue_verb does what it is asked
--   pgvec.waiting_<collection>(verb, arguments)  for its writers; pgvec.waiting_verb does what it is asked
-- A new door is open to its owner only, whatever the default privileges are; apply_grants opens it to others.
-- create_collection and every installation call this; drop_collection drops the doors.
-- Raises: PV001.
-- Why a function for each collection: PostgreSQL itself checks that the calling role has EXECUTE on it. No setting,
-- argument or name is trusted.
CREATE OR REPLACE FUNCTION pgvec.put_doors(collection text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    catalog_owner CONSTANT regrole := (SELECT t.relowner FROM pg_catalog.pg_class t
                                        WHERE t.oid = 'pgvec.work_item'::regclass);
    door text;
    door_name text;
    body text;
    signature text;
    others text;
BEGIN
    FOREACH door IN ARRAY '{queue,waiting}'::text[] LOOP
        door_name := door || '_' || c.collection;
        body := format('SELECT pgvec.%I(%L, $1, $2)', door || '_verb', c.collection);
        signature := format('pgvec.%I(text, jsonb)', door_name);
        EXECUTE format('CREATE OR REPLACE FUNCTION pgvec.%I(verb text, arguments jsonb) RETURNS jsonb LANGUAGE sql '
                       'SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS %L', door_name, body);
        EXECUTE format('ALTER FUNCTION %s OWNER TO %s', signature, catalog_owner);
        SELECT string_agg(DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, ', ')
          INTO others
          FROM pg_catalog.pg_proc f, aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a
         WHERE f.oid = signature::regprocedure AND a.grantee <> f.proowner;
        IF others IS NOT NULL THEN
            EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %s', signature, others);
        END IF;
    END LOOP;
END
$$;
