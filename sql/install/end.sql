-- Runs after the files of the catalog: creates the doors of every collection, and leaves PUBLIC without privileges.
SELECT pgvec.put_doors(c.collection) FROM pgvec.collection c;
REVOKE ALL ON ALL ROUTINES IN SCHEMA pgvec FROM PUBLIC;
-- The planner takes a cast of pgvec.boxed apart only for roles that may call its function.
GRANT EXECUTE ON FUNCTION pgvec.unboxed(pgvec.boxed, integer, boolean),
                          pgvec.unboxed(pgvec.boxed_half, integer, boolean) TO PUBLIC;
-- Roles with a recorded grant may call the functions that are new in this version.
SELECT pgvec.apply_grants(c.collection) FROM pgvec.collection c
 WHERE EXISTS (SELECT FROM pgvec.collection_grant g WHERE g.collection = c.collection);
-- An event trigger copies policies of a chunk table to its leaves at once. Only a superuser may create one.
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
