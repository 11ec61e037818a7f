-- For claimed items: texts that the target has already take the source's other columns and its turn, where it is later. A row never passes to another owner (pgvec.owner_of) but
-- by an item that says so.
CREATE OR REPLACE FUNCTION pgvec.carry_columns(c pgvec.collection, s pgvec.model_version, t pgvec.model_version,
                                               items bigint[])
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
-- By the index of either leaf: a hash join would read all of it for every claim.
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    chunks CONSTANT regclass := c.chunk_table;
    fields CONSTANT text[] := pgvec.column_list(chunks, carried_only => true);
BEGIN
    EXECUTE format($q$
        UPDATE pgvec_leaves.%2$I t SET (%4$s) = ROW(%5$s)
          -- An index scan an item: joined plainly, the planner reads all of the leaf for every claim.
          FROM pgvec.work_item w CROSS JOIN LATERAL (
              SELECT k.* FROM pgvec_leaves.%1$I k WHERE k.chunk_id BETWEEN w.lo::%3$s AND w.hi::%3$s OFFSET 0) s
         WHERE w.item_id = ANY ($1) AND t.chunk_id = s.chunk_id AND t.content = s.content AND s.turn > t.turn
           AND (%6$s IS NOT DISTINCT FROM %7$s OR w.owner IN (%7$s, '"any"'))
    $q$, s.leaf, t.leaf, c.id_type, array_to_string(fields, ', '), 's.' || array_to_string(fields, ', s.'),
        pgvec.owner_of(chunks, 's'), pgvec.owner_of(chunks, 't')) USING items;
END
$$;
