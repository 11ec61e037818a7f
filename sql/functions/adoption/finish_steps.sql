-- Lists what is still to be done until an adopted table keeps nothing that only the way back needs: its old vector
-- indexes. Then there is no way back. Run each statement by itself, outside a transaction.
-- Shape: as pgvec.adoption_steps.
-- Raises: PV001 (no adoption of this name), PV005 (the table is not adopted yet).
CREATE OR REPLACE FUNCTION pgvec.finish_steps(collection text)
RETURNS TABLE (step text, statement text, lock text, held text) LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    a CONSTANT pgvec.adoption := pgvec.get_adoption(collection);
BEGIN
    IF a.adopted_at IS NULL THEN
        PERFORM pgvec.raise_error('PV005', format('%s is not adopted yet.', a.source),
            jsonb_build_object('collection', a.collection), 'Run the statements of pgvec.adoption_steps first.');
    END IF;
    RETURN QUERY
    SELECT 'old indexes', format('DROP INDEX CONCURRENTLY %s', i), 'SHARE UPDATE EXCLUSIVE', 'a build'
      FROM pgvec.old_vector_indexes(a.collection) i;
END
$$;
