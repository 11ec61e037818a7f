-- Event trigger: after you create, alter or drop a policy on a chunk table, or switch its row-level security, every
-- leaf follows in the same transaction.
-- Raises: 55P03 (a reader holds a leaf for too long). The policy is not changed then.
-- Only a superuser can create an event trigger. If another role installed the catalog, the guard refuses queries
-- (PV051) until pgvec.refresh_collection has copied the policies.
-- Why SECURITY DEFINER: every DDL statement in this database comes through here, mostly from roles without a privilege
-- on the catalog. It only calls copy_policies, and only for a chunk table that the catalog knows by its OID.
CREATE OR REPLACE FUNCTION pgvec.follow_policies()
RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changed_tables oid[];
    stale record;
    old_timeout text;
BEGIN
    IF TG_EVENT = 'sql_drop' THEN
        SELECT array_agg(to_regclass(format('%I.%I', d.address_names[1], d.address_names[2]))::oid)
          INTO changed_tables
          FROM pg_event_trigger_dropped_objects() d
         WHERE d.object_type = 'policy' AND NOT d.is_temporary;
    ELSE
        SELECT array_agg(coalesce(p.polrelid, d.objid)) INTO changed_tables
          FROM pg_event_trigger_ddl_commands() d
          LEFT JOIN pg_policy p ON d.classid = 'pg_policy'::regclass AND p.oid = d.objid;
    END IF;
    FOR stale IN
        SELECT c.chunk_table, v.leaf
          FROM pgvec.collection c
          JOIN pgvec.model_version v ON v.collection = c.collection
         WHERE c.chunk_table = ANY (changed_tables) AND v.dropped_at IS NULL
           AND to_regclass(format('pgvec_leaves.%I', v.leaf)) IS NOT NULL
           AND pgvec.policies_of(c.chunk_table)
               IS DISTINCT FROM pgvec.policies_of(to_regclass(format('pgvec_leaves.%I', v.leaf)))
         ORDER BY v.leaf
    LOOP
        old_timeout := pgvec.default_lock_wait();
        PERFORM pgvec.copy_policies(stale.chunk_table, stale.leaf);
        PERFORM set_config('lock_timeout', old_timeout, true);
    END LOOP;
END
$$;
