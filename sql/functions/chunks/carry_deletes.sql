-- Carries a delete in one version, with its turn, to another: at once where no other session holds the row, also if the
-- target does not follow, because a deleted chunk is gone from every version.
-- If the target follows, the rest becomes work items: rows that another session holds, and, with three leaves or more,
-- rows that a worker may be putting there at this moment from a row that we could not lock either (except those that
-- this statement deleted in the target too).
-- Arguments:
--   deferred      everything becomes a work item
--   also_deleted  chunks that the same statement deleted in the target
CREATE OR REPLACE FUNCTION pgvec.carry_deletes(c pgvec.collection, source_version text, target pgvec.model_version,
                                               chunk_ids text[], turn bigint, deferred boolean, also_deleted text[])
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
-- By the index of the leaf, however many there are.
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    follows CONSTANT boolean := target.follows AND target.state <> 'abandoned';
    owner CONSTANT text := pgvec.owner_of(c.chunk_table, 't');
    waiting text[];
    owners jsonb[];
    many boolean;
BEGIN
    IF NOT deferred THEN
        EXECUTE format($q$
            WITH free AS MATERIALIZED (
                SELECT t.chunk_id FROM pgvec_leaves.%1$I t WHERE t.chunk_id = ANY ($1::%2$s[]) AND t.turn < $2
                   -- In a version that does not follow nobody has checked who owns the row.
                   AND ($4 OR EXISTS (SELECT FROM pgvec.tombstone d
                                       WHERE d.collection = $3 AND d.chunk_id = t.chunk_id::text AND d.turn = $2
                                         AND d.owner IS NOT DISTINCT FROM %3$s))
                 ORDER BY t.chunk_id FOR UPDATE OF t SKIP LOCKED)
            DELETE FROM pgvec_leaves.%1$I t USING free f WHERE t.chunk_id = f.chunk_id
        $q$, target.leaf, c.id_type, owner)
        USING chunk_ids, turn, c.collection, follows;
    END IF;
    IF NOT follows THEN
        RETURN;
    END IF;
    many := (SELECT count(*) > 2 FROM pgvec.model_version v
              WHERE v.collection = c.collection AND v.dropped_at IS NULL);
    EXECUTE format($q$
        SELECT array_agg(d.chunk_id), array_agg(%3$s)
          FROM unnest($1) d (chunk_id) LEFT JOIN pgvec_leaves.%1$I t ON t.chunk_id = d.chunk_id::%2$s
         WHERE $2 OR t.chunk_id IS NOT NULL OR ($3 AND d.chunk_id <> ALL (coalesce($4, '{}')))
    $q$, target.leaf, c.id_type, owner)
    INTO waiting, owners USING chunk_ids, deferred, many, also_deleted;
    IF waiting IS NOT NULL THEN
        PERFORM pgvec.open_items(c.collection, source_version, target.model_version, waiting, owners);
    END IF;
END
$$;
