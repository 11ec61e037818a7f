-- After the files of the catalog: the doors of every collection, and nothing for PUBLIC.
SELECT pgvec.put_doors(c.collection) FROM pgvec.collection c;
REVOKE ALL ON ALL ROUTINES IN SCHEMA pgvec FROM PUBLIC;
-- Functions that are new in this version, for those who have a recorded grant.
SELECT pgvec.apply_grants(c.collection) FROM pgvec.collection c
 WHERE EXISTS (SELECT FROM pgvec.collection_grant g WHERE g.collection = c.collection);
-- Policies of a chunk table hold on its leaves at once, where the one who installs may create an event trigger.
DO $$
BEGIN
    IF (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
        DROP EVENT TRIGGER IF EXISTS pgvec_policies;
        DROP EVENT TRIGGER IF EXISTS pgvec_policies_dropped;
        CREATE EVENT TRIGGER pgvec_policies ON ddl_command_end
            WHEN TAG IN ('CREATE POLICY', 'ALTER POLICY', 'ALTER TABLE') EXECUTE FUNCTION pgvec.follow_policies();
        CREATE EVENT TRIGGER pgvec_policies_dropped ON sql_drop
            WHEN TAG IN ('DROP POLICY', 'DROP OWNED') EXECUTE FUNCTION pgvec.follow_policies();
    END IF;
END
$$;
