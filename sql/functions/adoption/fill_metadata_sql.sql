-- For adoption_steps: the statement that gives some thousand rows without metadata an empty object, as long as there
-- are such rows. It passes over rows that somebody is writing; the next one finds them.
CREATE OR REPLACE FUNCTION pgvec.fill_metadata_sql(a pgvec.adoption)
RETURNS TABLE (statement text) LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_left boolean := false;
BEGIN
    IF a.columns ? 'metadata'
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k
                        WHERE k.conrelid = a.source AND k.conname = 'pgvec_has_metadata' AND k.convalidated) THEN
        EXECUTE format('SELECT EXISTS (SELECT FROM %s t WHERE t.%I IS NULL)', a.source, a.columns ->> 'metadata')
           INTO is_left;
    END IF;
    RETURN QUERY
    SELECT format('WITH part AS (SELECT t.ctid FROM %1$s t WHERE t.%2$I IS NULL LIMIT 5000 FOR UPDATE SKIP LOCKED) '
                  'UPDATE %1$s t SET %2$I = %3$L FROM part p WHERE t.ctid = p.ctid',
                  a.source, a.columns ->> 'metadata', '{}')
     WHERE is_left;
END
$$;
