-- Turns what was written to one version into work items for another; see pgvec.carry_writes.
CREATE OR REPLACE FUNCTION pgvec.defer_writes(c pgvec.collection, source pgvec.model_version,
                                              target pgvec.model_version, chunk_ids text[])
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
-- By the index of either leaf, however many there are.
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    owners jsonb[];
    misdated text[];
BEGIN
    EXECUTE format($q$
        SELECT array_agg(%3$s ORDER BY u.place),
               array_agg(u.chunk_id) FILTER (WHERE t.turn = s.turn AND t.content <> s.content)
          FROM unnest($1) WITH ORDINALITY u (chunk_id, place)
          LEFT JOIN pgvec_leaves.%1$I t ON t.chunk_id = u.chunk_id::%2$s
          LEFT JOIN pgvec_leaves.%4$I s ON s.chunk_id = u.chunk_id::%2$s
    $q$, target.leaf, c.id_type, pgvec.owner_of(c.chunk_table, 't'), source.leaf)
    INTO owners, misdated USING chunk_ids;
    PERFORM pgvec.restamp(c, source.model_version, misdated, only_deleted => false) WHERE misdated IS NOT NULL;
    PERFORM pgvec.open_items(c.collection, source.model_version, target.model_version, chunk_ids, owners);
END
$$;
