-- The columns that the row-level security policies of a chunk table read, as quoted identifiers, without chunk_id. A
-- policy on the whole row, for which PostgreSQL records no columns, counts as reading every column that versions share.
-- Empty where row-level security is off.
CREATE OR REPLACE FUNCTION pgvec.policy_columns(chunk_table regclass)
RETURNS text[] LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(quote_ident(a.attname) ORDER BY a.attnum), '{}')
      FROM pg_class t
      JOIN pg_attribute a
        ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'chunk_id'
     WHERE t.oid = chunk_table AND t.relrowsecurity
       AND (EXISTS (SELECT FROM pg_policy p
                      JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid
                     WHERE p.polrelid = t.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid
                       AND d.refobjsubid = a.attnum)
            -- A Var with attribute number 0 is the whole row.
            OR (a.attname NOT IN ('model_version', 'embedding', 'written_at', 'turn')
                AND EXISTS (SELECT FROM pg_policy p
                             WHERE p.polrelid = t.oid
                               AND concat(p.polqual::text, p.polwithcheck::text) LIKE '%:varattno 0 %')));
$$;
