-- Lists what is still to be done until a table is adopted: it looks at the database, so a client that was killed goes
-- on where it was. Run each statement by itself, outside a transaction, and ask again.
-- In psql: SELECT statement FROM pgvec.adoption_steps('docs') \gexec
-- Shape: the statements in their order. lock: the strongest lock, and on what. held: 'a moment' changes the catalog
-- and reads no row, tens of milliseconds at most; 'a scan' and 'a build' grow with the rows. Only shared locks are
-- held that long.
-- Raises: PV001 (no adoption of this name was begun).
CREATE OR REPLACE FUNCTION pgvec.adoption_steps(collection text)
RETURNS TABLE (step text, statement text, lock text, held text) LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    a CONSTANT pgvec.adoption := pgvec.get_adoption(collection);
BEGIN
    IF a.adopted_at IS NULL THEN
        RETURN QUERY SELECT 'columns', s.statement, 'ACCESS EXCLUSIVE', 'a moment' FROM pgvec.adopted_columns_sql(a) s;
        RETURN QUERY SELECT 'metadata', s.statement, 'ROW EXCLUSIVE', 'a scan' FROM pgvec.fill_metadata_sql(a) s;
        RETURN QUERY SELECT 'checks', s.statement, s.lock, s.held FROM pgvec.adopted_checks_sql(a) s;
        RETURN QUERY SELECT 'indexes', s.statement, 'SHARE UPDATE EXCLUSIVE', 'a build'
                       FROM pgvec.adopted_indexes_sql(a) s;
        RETURN QUERY VALUES ('swap', format('SELECT pgvec.swap_in(%L)', a.collection), 'ACCESS EXCLUSIVE', 'a moment');
    END IF;
    RETURN QUERY
    SELECT 'foreign keys', format('ALTER TABLE %s VALIDATE CONSTRAINT %I', k.conrelid::regclass, k.conname),
           'SHARE UPDATE EXCLUSIVE', 'a scan'
      FROM pg_catalog.pg_constraint k
     WHERE a.adopted_at IS NOT NULL AND k.confrelid = a.source AND k.contype = 'f' AND NOT k.convalidated
       AND k.conparentid = 0;
END
$$;
