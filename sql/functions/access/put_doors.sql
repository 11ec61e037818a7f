-- Makes the two doors of a collection: functions that run with the rights of the catalog's owner and reach the work
-- items, events and fingerprints of this one collection. Who may go through is PostgreSQL's own check of EXECUTE,
-- against the role that calls: no setting, argument or name is believed.
--   pgvec.queue_<collection>(verb, arguments)    for its workers; what it can do: pgvec.queue_verb
--   pgvec.waiting_<collection>(verb, arguments)  for its writers; what it can do: pgvec.waiting_verb
-- Made by create_collection and at every installation, dropped by drop_collection. A new door is open to its owner
-- alone, whatever the default privileges are; recorded grants come with apply_grants. Raises PV001.
CREATE OR REPLACE FUNCTION pgvec.put_doors(collection text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    catalog_owner CONSTANT regrole := (SELECT t.relowner FROM pg_catalog.pg_class t
                                        WHERE t.oid = 'pgvec.work_item'::regclass);
    door text;
    signature text;
    others text;
BEGIN
    FOREACH door IN ARRAY '{queue,waiting}'::text[] LOOP
        signature := format('pgvec.%I(text, jsonb)', door || '_' || c.collection);
        EXECUTE format('CREATE OR REPLACE FUNCTION pgvec.%I(verb text, arguments jsonb) RETURNS jsonb LANGUAGE sql '
                       'SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS %L',
                       door || '_' || c.collection,
                       format('SELECT pgvec.%I(%L, $1, $2)', door || '_verb', c.collection));
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
