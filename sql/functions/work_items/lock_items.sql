-- For complete_lease: locks the items that a lease still holds as they were claimed, of one source and one target.
-- Returns their ids: not those whose revision is another one, and none when the lease has run out.
CREATE OR REPLACE FUNCTION pgvec.lock_items(lease uuid, items bigint[], revisions integer[], source_version text,
                                            model_version text)
RETURNS bigint[] LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    locked bigint[];
BEGIN
    SELECT coalesce(array_agg(held.item_id), '{}') INTO locked
      FROM (SELECT w.item_id
              FROM pgvec.work_item w
              JOIN unnest(items, revisions) claimed (item_id, revision)
                ON claimed.item_id = w.item_id AND claimed.revision = w.revision
             WHERE w.lease = lock_items.lease AND w.source_version = lock_items.source_version
               AND w.model_version = lock_items.model_version AND w.leased_until > clock_timestamp()
             ORDER BY w.item_id FOR UPDATE OF w) held;
    RETURN locked;
END
$$;
