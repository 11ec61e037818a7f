-- Copies in the filled version with the text of the active version's row take the turn and the other columns of that
-- row. It locks the active version's rows, so that a delete of one waits for us and then finds the copy.
CREATE OR REPLACE FUNCTION pgvec.adopt_turns(c pgvec.collection, active pgvec.model_version, filled pgvec.model_version,
                                             chunk_ids text[])
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fields CONSTANT text[] := pgvec.column_list(c.chunk_table, carried_only => true);
BEGIN
    -- An UPDATE that keeps the turn would draw a new one, so a copy that brought the right turn gives it up first.
    EXECUTE format('UPDATE pgvec_leaves.%1$I n SET turn = -1 FROM pgvec_leaves.%2$I s '
                   'WHERE n.chunk_id = ANY ($1::%3$s[]) AND s.chunk_id = n.chunk_id AND s.turn = n.turn',
                   filled.leaf, active.leaf, c.id_type) USING chunk_ids;
    EXECUTE format($q$
        WITH held AS MATERIALIZED (
            SELECT s.* FROM pgvec_leaves.%2$I s WHERE s.chunk_id = ANY ($1::%3$s[])
             ORDER BY s.chunk_id FOR KEY SHARE OF s)
        UPDATE pgvec_leaves.%1$I n SET (%4$s) = ROW(%5$s)
          FROM held s WHERE n.chunk_id = s.chunk_id AND n.content = s.content
    $q$, filled.leaf, active.leaf, c.id_type, array_to_string(fields, ', '), 's.' || array_to_string(fields, ', s.'))
    USING chunk_ids;
END
$$;
