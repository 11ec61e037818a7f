-- Keeps row-level security across versions. The policies let a writer change the rows of its statement; the change also
-- reaches their counterparts in other versions. Promise: it reaches no counterpart with another owner (pgvec.owner_of),
-- so that nobody changes through one version what the policies hide in another. A counterpart may be behind because a
-- change by its owner waits in a work item; then the owner that the item names counts.
-- Where policies tell commands apart, an INSERT may not replace an UPDATE of the counterpart. A copy that is inserted
-- into a version being built is not such an INSERT.
-- Raises: 42501. It tells no more than a taken primary key would: that the chunk_id is in use.
CREATE OR REPLACE FUNCTION pgvec.refuse_foreign(c pgvec.collection, chunk_table regclass, rows pgvec.owned_chunk[],
                                                operation text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    other pgvec.model_version;
    foreign_id text;
    -- Versions where an INSERT of a chunk that another version holds is news, and not a copy.
    no_copies CONSTANT text[] := ARRAY(
        SELECT v.model_version FROM pgvec.model_version v
         WHERE operation = 'INSERT' AND v.collection = c.collection AND v.state <> 'building'
           AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = chunk_table AND p.polcmd <> '*'));
BEGIN
    FOR other IN SELECT v.* FROM pgvec.model_version v
                  WHERE v.collection = c.collection AND v.dropped_at IS NULL AND v.follows AND v.state <> 'abandoned'
    LOOP
        EXECUTE format($q$
            SELECT o.chunk_id FROM unnest($1) o JOIN pgvec_leaves.%1$I t ON t.chunk_id = o.chunk_id::%2$s
             WHERE o.model_version <> $2
               AND o.chunk_id NOT IN (SELECT k.chunk_id FROM unnest($1) k WHERE k.model_version = $2)
               AND (o.model_version = ANY ($4)
                    OR (%3$s IS DISTINCT FROM o.owner
                        AND NOT EXISTS (SELECT FROM pgvec.work_item w
                                         WHERE w.collection = $3 AND w.model_version = $2
                                           AND w.lo = o.chunk_id AND w.hi = w.lo
                                           AND w.owner IN (%3$s, '"any"'))))
             LIMIT 1
        $q$, other.leaf, c.id_type, pgvec.owner_of(chunk_table, 't'))
        INTO foreign_id USING rows, other.model_version, c.collection, no_copies;
        IF foreign_id IS NOT NULL THEN
            PERFORM pgvec.raise_error('42501',
                format('chunk %s of %s: row-level security keeps its rows in other versions from this change.',
                       foreign_id, c.collection),
                jsonb_build_object('collection', c.collection, 'chunk_id', foreign_id),
                'The chunk_id is in use in another version. Use another one, or change the chunk where it is.');
        END IF;
    END LOOP;
END
$$;
