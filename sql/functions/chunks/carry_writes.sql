-- Carries what was written to one version to another. A counterpart with this text takes the other columns and the turn
-- at once, if no other session holds it. The rest becomes work items; where the target's row is later, an item in the
-- other direction.
-- A counterpart that is the same write already is locked until we commit: otherwise it might not stay. A row that
-- brought the turn of its counterpart and another text is not that write: it takes a turn of its own.
-- Arguments:
--   deferred  everything becomes a work item
CREATE OR REPLACE FUNCTION pgvec.carry_writes(c pgvec.collection, source pgvec.model_version,
                                              target pgvec.model_version, chunk_ids text[], deferred boolean)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
-- By the index of either leaf, however many there are.
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    fields CONSTANT text[] := pgvec.column_list(c.chunk_table, carried_only => true);
    columns CONSTANT text := array_to_string(fields, ', ');
    source_values CONSTANT text := 's.' || array_to_string(fields, ', s.');
    behind text[];
    behind_owners jsonb[];
    ahead text[];
    ahead_owners jsonb[];
    misdated text[];
BEGIN
    IF deferred THEN
        PERFORM pgvec.defer_writes(c, source, target, chunk_ids);
        RETURN;
    END IF;
    EXECUTE format($q$
        WITH free AS MATERIALIZED (
            SELECT t.chunk_id FROM pgvec_leaves.%1$I s JOIN pgvec_leaves.%2$I t ON t.chunk_id = s.chunk_id
             WHERE s.chunk_id = ANY ($1::%3$s[]) AND t.turn < s.turn AND t.content = s.content
             ORDER BY t.chunk_id FOR NO KEY UPDATE OF t SKIP LOCKED)
        UPDATE pgvec_leaves.%2$I t SET (%4$s) = ROW(%5$s)
          FROM free f JOIN pgvec_leaves.%1$I s ON s.chunk_id = f.chunk_id
         WHERE t.chunk_id = f.chunk_id AND t.turn < s.turn AND t.content = s.content
    $q$, source.leaf, target.leaf, c.id_type, columns, source_values) USING chunk_ids;
    EXECUTE format($q$
        WITH same AS MATERIALIZED (
            SELECT t.chunk_id FROM pgvec_leaves.%1$I s JOIN pgvec_leaves.%2$I t ON t.chunk_id = s.chunk_id
             WHERE s.chunk_id = ANY ($1::%3$s[]) AND t.turn = s.turn AND t.content = s.content
             ORDER BY t.chunk_id FOR KEY SHARE OF t SKIP LOCKED)
        SELECT array_agg(s.chunk_id::text) FILTER (WHERE t.turn > s.turn),
               array_agg(%4$s) FILTER (WHERE t.turn > s.turn),
               array_agg(s.chunk_id::text) FILTER (WHERE t.turn > s.turn IS NOT TRUE),
               array_agg(%5$s) FILTER (WHERE t.turn > s.turn IS NOT TRUE),
               array_agg(s.chunk_id::text) FILTER (WHERE t.turn = s.turn AND t.content <> s.content)
          FROM pgvec_leaves.%1$I s LEFT JOIN pgvec_leaves.%2$I t ON t.chunk_id = s.chunk_id
         WHERE s.chunk_id = ANY ($1::%3$s[]) AND s.chunk_id NOT IN (SELECT k.chunk_id FROM same k)
    $q$, source.leaf, target.leaf, c.id_type, pgvec.owner_of(c.chunk_table, 's'), pgvec.owner_of(c.chunk_table, 't'))
    INTO ahead, ahead_owners, behind, behind_owners, misdated USING chunk_ids;
    PERFORM pgvec.restamp(c, source.model_version, misdated, only_deleted => false) WHERE misdated IS NOT NULL;
    IF behind IS NOT NULL THEN
        PERFORM pgvec.open_items(c.collection, source.model_version, target.model_version, behind, behind_owners);
    END IF;
    IF ahead IS NOT NULL THEN
        PERFORM pgvec.open_items(c.collection, target.model_version, source.model_version, ahead, ahead_owners);
    END IF;
END
$$;
