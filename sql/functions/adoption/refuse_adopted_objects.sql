-- What stands on a table and would break, or go around the triggers, if the table were adopted in place.
CREATE OR REPLACE FUNCTION pgvec.refuse_adopted_objects(source regclass)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'PV007', format('%s %s on %s: %s.', f.kind, f.names, $1, f.why),
           jsonb_build_object('table', $1, 'found', f.found), f.hint
      FROM (
        SELECT 'view' AS kind, string_agg(DISTINCT r.ev_class::regclass::text, ', ') AS names,
               jsonb_agg(DISTINCT r.ev_class::regclass::text) AS found,
               'after the swap it would read and write this one version around the triggers' AS why,
               'Drop it, adopt, and create it again over the table''s name; or copy its rows into a collection.' AS hint
          FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
         WHERE d.classid = 'pg_rewrite'::regclass AND d.refobjid = $1 AND r.ev_class <> $1
        UNION ALL
        SELECT 'trigger', string_agg(t.tgname, ', '), jsonb_agg(t.tgname),
               'its function may name columns, whose names change',
               'Drop it and adopt, or copy its rows into a collection.'
          FROM pg_catalog.pg_trigger t WHERE t.tgrelid = $1 AND NOT t.tgisinternal
           AND t.tgfoid <> to_regprocedure('pgvec.fill_metadata()')
        UNION ALL
        SELECT 'rule', string_agg(r.rulename, ', '), jsonb_agg(r.rulename),
               'a rule would not see the writes that go to the chunk table',
               'Drop it and adopt, or copy its rows into a collection.'
          FROM pg_catalog.pg_rewrite r WHERE r.ev_class = $1
        UNION ALL
        -- Its text names no table: PostgreSQL keeps the row's type, or a parsed body, which go with the table.
        SELECT 'function', string_agg(f.oid::regprocedure::text, ', '), jsonb_agg(f.oid::regprocedure::text),
               'it would follow the table, not its name',
               'Drop it, adopt, and create it again; or copy its rows into a collection.'
          FROM pg_catalog.pg_proc f
         WHERE EXISTS (SELECT FROM pg_catalog.pg_depend d
                         LEFT JOIN pg_catalog.pg_type y ON d.refclassid = 'pg_type'::regclass AND y.oid = d.refobjid
                         LEFT JOIN pg_catalog.pg_type e ON e.oid = y.typelem
                        WHERE d.classid = 'pg_proc'::regclass AND d.objid = f.oid
                          AND $1 IN (y.typrelid, e.typrelid,
                                     CASE d.refclassid WHEN 'pg_class'::regclass THEN d.refobjid END))
        UNION ALL
        SELECT 'column', string_agg(format('%s.%I', k.attrelid::regclass, k.attname), ', '),
               jsonb_agg(format('%s.%I', k.attrelid::regclass, k.attname)),
               'its type is the row of the table, whose columns change',
               'Give it another type, or copy its rows into a collection.'
          FROM pg_catalog.pg_attribute k JOIN pg_catalog.pg_type y ON y.oid = k.atttypid
          LEFT JOIN pg_catalog.pg_type e ON e.oid = y.typelem
         WHERE $1 IN (y.typrelid, e.typrelid) AND k.attnum > 0 AND NOT k.attisdropped
        UNION ALL
        SELECT 'publication', string_agg(p.pubname, ', '), jsonb_agg(p.pubname),
               'subscribers know the table by its name, and the rows move to another',
               'Take it out of the publication, or copy its rows into a collection.'
          FROM pg_catalog.pg_publication_rel l JOIN pg_catalog.pg_publication p ON p.oid = l.prpubid
         WHERE l.prrelid = $1
      ) f
     WHERE f.names IS NOT NULL;
$$;
