-- For claimed items: where the target holds the source's text already, gives its row the source's other columns and
-- turn, if the source's turn is later. A row passes to another owner (pgvec.owner_of) only by an item that says so.
-- Why no hash or merge join: it would read all of a leaf for every claim.
CREATE OR REPLACE FUNCTION pgvec.carry_columns(c pgvec.collection, source pgvec.model_version,
                                               target pgvec.model_version, items bigint[])
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    fields CONSTANT text[] := pgvec.column_list(c.chunk_table, carried_only => true);
    target_columns CONSTANT text := array_to_string(fields, ', ');
    source_columns CONSTANT text := 'source.' || array_to_string(fields, ', source.');
    source_owner CONSTANT text := pgvec.owner_of(c.chunk_table, 'source');
    target_owner CONSTANT text := pgvec.owner_of(c.chunk_table, 'target');
BEGIN
    EXECUTE format($query$
        UPDATE pgvec_leaves.%2$I target SET (%4$s) = ROW(%5$s)
          FROM pgvec.work_item w
          -- An index scan an item: the planner would read all of the leaf for a plain join.
         CROSS JOIN LATERAL (SELECT k.* FROM pgvec_leaves.%1$I k
                              WHERE k.chunk_id BETWEEN w.lo::%3$s AND w.hi::%3$s OFFSET 0) source
         WHERE w.item_id = ANY ($1) AND target.chunk_id = source.chunk_id
           AND target.content = source.content AND source.turn > target.turn
           AND (%6$s IS NOT DISTINCT FROM %7$s OR w.owner IN (%7$s, '"any"'))
    $query$, source.leaf, target.leaf, c.id_type, target_columns, source_columns, source_owner, target_owner)
    USING items;
END
$$;
