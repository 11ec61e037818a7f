-- For plan_backfill: rows that were inserted around the triggers have no turn. Gives them one, so that their copies
-- have the same. Not to a chunk that was deleted: a new turn would be later than the delete.
-- Raises: 42501 (row-level security would hide rows).
CREATE OR REPLACE FUNCTION pgvec.draw_lost_turns(c pgvec.collection, source pgvec.model_version)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
BEGIN
    EXECUTE format('UPDATE pgvec_leaves.%I s SET turn = nextval(''pgvec.turn'') WHERE s.turn = 0 AND NOT EXISTS '
                   '(SELECT FROM pgvec.tombstone d WHERE d.collection = $1 AND d.chunk_id = s.chunk_id::text)',
                   source.leaf) USING c.collection;
END
$$;
