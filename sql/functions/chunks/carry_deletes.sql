-- Carries a delete in version s, with its turn, to version t: at once where no other session holds the row, also where t
-- does not follow, because what is deleted is gone everywhere. Where t follows, the rest becomes work items: what
-- another session holds, and among three leaves or more what a worker may be putting there at this moment from a row
-- that we could not hold either (but what this statement deleted in t too).
-- Deferred: everything becomes a work item.
CREATE OR REPLACE FUNCTION pgvec.carry_deletes(c pgvec.collection, source_version text, t pgvec.model_version,
                                               chunk_ids text[], turn bigint, deferred boolean, also_deleted text[])
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
-- By the index of the leaf, however many there are.
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    waiting text[];
    many boolean;
    owners jsonb[];
    follows CONSTANT boolean := t.follows AND t.state <> 'abandoned';
BEGIN
    IF NOT deferred THEN
        EXECUTE format($q$
            WITH free AS MATERIALIZED (
                SELECT t.chunk_id FROM pgvec_leaves.%1$I t WHERE t.chunk_id = ANY ($1::%2$s[]) AND t.turn < $2
                   -- Of a version that does not follow nobody has looked whose the row is.
                   AND ($4 OR EXISTS (SELECT FROM pgvec.tombstone d WHERE d.collection = $3 AND d.chunk_id = t.chunk_id::text
                                         AND d.turn = $2 AND d.owner IS NOT DISTINCT FROM %3$s))
                 ORDER BY t.chunk_id FOR UPDATE OF t SKIP LOCKED)
            DELETE FROM pgvec_leaves.%1$I t USING free f WHERE t.chunk_id = f.chunk_id
        $q$, t.leaf, c.id_type, pgvec.owner_of(c.chunk_table, 't'))
        USING chunk_ids, turn, c.collection, follows;
    END IF;
    IF NOT follows THEN
        RETURN;
    END IF;
    many := (SELECT count(*) > 2 FROM pgvec.model_version v WHERE v.collection = c.collection AND v.dropped_at IS NULL);
    EXECUTE format('SELECT array_agg(d.chunk_id), array_agg(%3$s) FROM unnest($1) d (chunk_id) '
                   'LEFT JOIN pgvec_leaves.%1$I t ON t.chunk_id = d.chunk_id::%2$s '
                   'WHERE $2 OR t.chunk_id IS NOT NULL OR ($3 AND d.chunk_id <> ALL (coalesce($4, ''{}'')))',
                   t.leaf, c.id_type, pgvec.owner_of(c.chunk_table, 't'))
       INTO waiting, owners USING chunk_ids, deferred, many, also_deleted;
    IF waiting IS NOT NULL THEN
        PERFORM pgvec.open_items(c.collection, source_version, t.model_version, waiting, owners);
    END IF;
END
$$;
