-- Carries what was written to version s to version t: a counterpart with this text takes the other columns and the turn
-- at once, where no other session holds it; the rest becomes work items, also the other way where t's row is later.
-- What is the same write already is held until we commit, or we could not know that it stays. A row that brought the
-- turn of t's row and another text is not that write: it takes a turn of its own.
-- Deferred: everything becomes a work item.
CREATE OR REPLACE FUNCTION pgvec.carry_writes(c pgvec.collection, s pgvec.model_version, t pgvec.model_version,
                                              chunk_ids text[], deferred boolean)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
-- By the index of either leaf, however many there are.
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    chunks CONSTANT regclass := c.chunk_table;
    fields CONSTANT text[] := pgvec.column_list(chunks, carried_only => true);
    behind text[];
    behind_owners jsonb[];
    ahead text[];
    ahead_owners jsonb[];
    misdated text[];
BEGIN
    IF deferred THEN
        EXECUTE format('SELECT array_agg(%3$s), '
                       'array_agg(u.chunk_id) FILTER (WHERE t.turn = s.turn AND t.content <> s.content) '
                       'FROM unnest($1) WITH ORDINALITY u (chunk_id, place) '
                       'LEFT JOIN pgvec_leaves.%1$I t ON t.chunk_id = u.chunk_id::%2$s '
                       'LEFT JOIN pgvec_leaves.%4$I s ON s.chunk_id = u.chunk_id::%2$s',
                       t.leaf, c.id_type, pgvec.owner_of(chunks, 't') || ' ORDER BY u.place', s.leaf)
           INTO behind_owners, misdated USING chunk_ids;
        PERFORM pgvec.restamp(c, s.model_version, misdated, only_deleted => false) WHERE misdated IS NOT NULL;
        PERFORM pgvec.open_items(c.collection, s.model_version, t.model_version, chunk_ids, behind_owners);
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
    $q$, s.leaf, t.leaf, c.id_type, array_to_string(fields, ', '), 's.' || array_to_string(fields, ', s.'))
    USING chunk_ids;
    EXECUTE format($q$
        WITH same AS MATERIALIZED (
            SELECT t.chunk_id FROM pgvec_leaves.%1$I s JOIN pgvec_leaves.%2$I t ON t.chunk_id = s.chunk_id
             WHERE s.chunk_id = ANY ($1::%3$s[]) AND t.turn = s.turn AND t.content = s.content
             ORDER BY t.chunk_id FOR KEY SHARE OF t SKIP LOCKED)
        SELECT array_agg(s.chunk_id::text) FILTER (WHERE t.turn > s.turn), array_agg(%4$s) FILTER (WHERE t.turn > s.turn),
               array_agg(s.chunk_id::text) FILTER (WHERE t.turn > s.turn IS NOT TRUE),
               array_agg(%5$s) FILTER (WHERE t.turn > s.turn IS NOT TRUE),
               array_agg(s.chunk_id::text) FILTER (WHERE t.turn = s.turn AND t.content <> s.content)
          FROM pgvec_leaves.%1$I s LEFT JOIN pgvec_leaves.%2$I t ON t.chunk_id = s.chunk_id
         WHERE s.chunk_id = ANY ($1::%3$s[]) AND s.chunk_id NOT IN (SELECT k.chunk_id FROM same k)
    $q$, s.leaf, t.leaf, c.id_type, pgvec.owner_of(chunks, 's'), pgvec.owner_of(chunks, 't'))
    INTO ahead, ahead_owners, behind, behind_owners, misdated USING chunk_ids;
    PERFORM pgvec.restamp(c, s.model_version, misdated, only_deleted => false) WHERE misdated IS NOT NULL;
    IF behind IS NOT NULL THEN
        PERFORM pgvec.open_items(c.collection, s.model_version, t.model_version, behind, behind_owners);
    END IF;
    IF ahead IS NOT NULL THEN
        PERFORM pgvec.open_items(c.collection, t.model_version, s.model_version, ahead, ahead_owners);
    END IF;
END
$$;
