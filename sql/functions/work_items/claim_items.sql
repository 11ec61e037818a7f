-- What claim_work does, behind the workers' door of the collection: only the owner can call it. When nothing else is
-- free, it takes over what workers hold whose session has ended.
-- Shape: one row an item.
-- Raises: PV001 (no such collection), PV007 (lease).
CREATE OR REPLACE FUNCTION pgvec.claim_items(collection text, versions text[], max_items integer, lease interval,
                                             holder jsonb DEFAULT NULL)
RETURNS TABLE (item_id bigint, source_version text, model_version text, lo text, hi text, revision integer,
               attempts integer, lease_id uuid)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    build_locks CONSTANT text[] := '{ShareLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}';
    new_lease uuid := gen_random_uuid();
    first_item record;
    claimable text[];
BEGIN
    PERFORM pgvec.check_interval('lease', lease, lowest => '-1 year');
    SELECT coalesce(array_agg(v.model_version), '{}') INTO claimable
      FROM pgvec.model_version v
     WHERE v.collection = c.collection AND v.model_version = ANY (versions)
       AND v.state IN ('building', 'ready', 'active', 'draining')
       AND v.paused_at IS NULL
       AND pgvec.lock_holders(ARRAY[to_regclass(format('pgvec_leaves.%I', v.leaf))], build_locks) = '{}';
    LOOP
        SELECT w.source_version, w.model_version INTO first_item
          FROM pgvec.work_item w
         WHERE w.collection = c.collection AND w.model_version = ANY (claimable) AND w.set_aside_at IS NULL
           AND (w.leased_until IS NULL OR w.leased_until < clock_timestamp())
         ORDER BY w.item_id LIMIT 1 FOR UPDATE SKIP LOCKED;
        EXIT WHEN FOUND;
        IF pgvec.free_items(c.collection, claimable, sure => true) = 0 THEN
            RETURN;
        END IF;
    END LOOP;
    RETURN QUERY
    UPDATE pgvec.work_item w
       SET lease = new_lease, leased_until = clock_timestamp() + claim_items.lease, holder = claim_items.holder,
           attempts = w.attempts + 1
      FROM (SELECT k.item_id FROM pgvec.work_item k
             WHERE k.collection = c.collection AND k.source_version = first_item.source_version
               AND k.model_version = first_item.model_version
               AND k.set_aside_at IS NULL AND (k.leased_until IS NULL OR k.leased_until < clock_timestamp())
             ORDER BY k.item_id LIMIT greatest(max_items, 1) FOR UPDATE SKIP LOCKED) free
     WHERE w.item_id = free.item_id
    RETURNING w.item_id, w.source_version, w.model_version, w.lo, w.hi, w.revision, w.attempts, w.lease;
END
$$;
