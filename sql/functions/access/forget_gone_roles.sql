-- Deletes a collection's records of grants to roles that were dropped, each with an event and a notice. Returns how
-- many.
-- Arguments:
--   privilege   'read', 'write' or 'worker': only records of this privilege
CREATE OR REPLACE FUNCTION pgvec.forget_gone_roles(collection text, privilege text DEFAULT NULL)
RETURNS integer LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    gone record;
    forgotten integer := 0;
BEGIN
    FOR gone IN
        DELETE FROM pgvec.collection_grant g
         WHERE g.collection = forget_gone_roles.collection
           AND g.privilege = coalesce(forget_gone_roles.privilege, g.privilege)
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = g.grantee)
        RETURNING g.grantee::oid::bigint AS role, g.privilege
    LOOP
        PERFORM pgvec.log_event(collection, NULL, 'forget_grant', NULL, NULL,
            jsonb_build_object('role', gone.role, 'privilege', gone.privilege));
        RAISE NOTICE 'the record of % in % is forgotten: role % was dropped', gone.privilege, collection, gone.role;
        forgotten := forgotten + 1;
    END LOOP;
    RETURN forgotten;
END
$$;
