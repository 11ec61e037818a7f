-- Event trigger: a policy that is created, altered or dropped on a chunk table, or row-level security that is switched
-- there, holds on every leaf in the same transaction. Only a superuser may create an event trigger; where the catalog was
-- installed by somebody else, the guard refuses (PV051) until pgvec.refresh_collection has run.
-- SECURITY DEFINER: whoever runs DDL in this database passes here, and most have no privilege on the catalog. It does
-- nothing but copy_policies, and only for a table that the catalog remembers as a chunk table.
-- Raises 55P03 where a reader holds a leaf for too long: then nothing was changed.
CREATE OR REPLACE FUNCTION pgvec.follow_policies()
RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    touched oid[];
    v record;
    old_timeout text;
BEGIN
    IF TG_EVENT = 'sql_drop' THEN
        SELECT array_agg(to_regclass(format('%I.%I', d.address_names[1], d.address_names[2]))::oid) INTO touched
          FROM pg_event_trigger_dropped_objects() d WHERE d.object_type = 'policy' AND NOT d.is_temporary;
    ELSE
        SELECT array_agg(coalesce(p.polrelid, d.objid)) INTO touched
          FROM pg_event_trigger_ddl_commands() d
          LEFT JOIN pg_policy p ON d.classid = 'pg_policy'::regclass AND p.oid = d.objid;
    END IF;
    FOR v IN
        SELECT c.collection, c.chunk_table, m.leaf
          FROM pgvec.collection c JOIN pgvec.model_version m ON m.collection = c.collection
         WHERE c.chunk_table = ANY (touched) AND m.dropped_at IS NULL
           AND to_regclass(format('pgvec_leaves.%I', m.leaf)) IS NOT NULL
           AND pgvec.policies_of(c.chunk_table)
               IS DISTINCT FROM pgvec.policies_of(to_regclass(format('pgvec_leaves.%I', m.leaf)))
         ORDER BY m.leaf
    LOOP
        old_timeout := pgvec.default_lock_wait();
        PERFORM pgvec.copy_policies(v.chunk_table, v.leaf);
        PERFORM set_config('lock_timeout', old_timeout, true);
    END LOOP;
END
$$;
