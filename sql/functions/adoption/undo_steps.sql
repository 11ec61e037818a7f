-- Lists what is still to be done until a table is again what it was before its adoption, with what was written since.
-- It looks at the database, so a client that was killed goes on where it was. Run each statement by itself, outside a
-- transaction, and ask again.
-- Shape: as pgvec.adoption_steps.
-- Raises: PV001 (no adoption of this name), and what pgvec.refuse_undo finds.
CREATE OR REPLACE FUNCTION pgvec.undo_steps(collection text)
RETURNS TABLE (step text, statement text, lock text, held text) LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    a CONSTANT pgvec.adoption := pgvec.get_adoption(collection);
BEGIN
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint) FROM pgvec.refuse_undo(collection) r;
    IF a.adopted_at IS NOT NULL THEN
        -- The table's own key, which the swap replaced. Its index cannot be taken over from the leaf's constraint.
        RETURN QUERY
        SELECT 'key', s.statement, 'SHARE UPDATE EXCLUSIVE', 'a build'
          FROM (VALUES (a.leaf || '_old')) n (name)
          LEFT JOIN pg_catalog.pg_index i ON i.indrelid = a.source
               AND i.indexrelid = to_regclass(format('pgvec_leaves.%I', n.name))
         CROSS JOIN LATERAL (VALUES
               (1, CASE WHEN i.indisvalid = false THEN format('DROP INDEX CONCURRENTLY pgvec_leaves.%I', n.name) END),
               (2, CASE WHEN i.indisvalid IS NOT TRUE
                        THEN format('CREATE UNIQUE INDEX CONCURRENTLY %I ON %s (chunk_id)', n.name, a.source) END))
               s (place, statement)
         WHERE s.statement IS NOT NULL ORDER BY s.place;
    END IF;
    RETURN QUERY VALUES ('swap back', format('SELECT pgvec.swap_out(%L)', a.collection), 'ACCESS EXCLUSIVE',
                         'a moment');
END
$$;
