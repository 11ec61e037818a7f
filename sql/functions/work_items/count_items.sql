-- What queue_counts does, behind the workers' door of the collection: only the owner can call it.
CREATE OR REPLACE FUNCTION pgvec.count_items(collection text, versions text[], newest bigint)
RETURNS TABLE (open bigint, held bigint, set_aside bigint, next_in float8, held_for float8, newest_item bigint)
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    WITH item AS (
        SELECT w.item_id, w.leased_until, w.set_aside_at IS NULL AS open,
               w.set_aside_at IS NULL AND w.leased_until > clock_timestamp() AND ($3 IS NULL OR w.item_id <= $3) AS held
          FROM pgvec.work_item w WHERE w.collection = $1 AND w.model_version = ANY ($2))
    SELECT count(*) FILTER (WHERE i.open), count(*) FILTER (WHERE i.held), count(*) FILTER (WHERE NOT i.open),
           greatest(extract(epoch FROM min(coalesce(i.leased_until, clock_timestamp())) FILTER (WHERE i.open)
                                       - clock_timestamp()), 0)::float8,
           greatest(extract(epoch FROM min(i.leased_until) FILTER (WHERE i.held) - clock_timestamp()), 0)::float8,
           coalesce(max(i.item_id), 0)
      FROM item i;
$$;
