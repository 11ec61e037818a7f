-- Every object that is neither the server's own nor an extension's: definition, source, comment and
-- privileges. Names and texts; no oids, no times.
WITH spaces AS (SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
     relations AS (SELECT c.*, n.nspname FROM pg_class c JOIN spaces n ON n.oid = c.relnamespace),
     own AS (SELECT objid FROM pg_depend WHERE deptype = 'e')
SELECT 'schema', nspname, nspacl::text, obj_description(oid, 'pg_namespace')
  FROM pg_namespace WHERE oid IN (SELECT oid FROM spaces)
UNION ALL
SELECT 'extension', extname, extversion, NULL FROM pg_extension
UNION ALL
SELECT 'relation', format('%s.%s', nspname, relname),
       concat_ws(' ', relkind, relpersistence, reloptions::text, relacl::text, relrowsecurity,
                  pg_get_expr(relpartbound, oid)),
       obj_description(oid, 'pg_class')
  FROM relations
UNION ALL
SELECT 'column', format('%s.%s.%s', nspname, relname, attname),
       concat_ws(' ', attnum, format_type(atttypid, atttypmod), attnotnull, attidentity, attacl::text,
                  pg_get_expr(d.adbin, d.adrelid)),
       col_description(r.oid, attnum)
  FROM relations r
  JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
UNION ALL
SELECT 'constraint', format('%s.%s.%s', nspname, relname, conname), pg_get_constraintdef(k.oid),
        obj_description(k.oid, 'pg_constraint')
  FROM pg_constraint k JOIN relations r ON r.oid = k.conrelid
UNION ALL
SELECT 'index', format('%s.%s', nspname, relname), pg_get_indexdef(oid), NULL FROM relations WHERE relkind IN ('i', 'I')
UNION ALL
SELECT 'view', format('%s.%s', nspname, relname), pg_get_viewdef(oid), NULL FROM relations WHERE relkind = 'v'
UNION ALL
SELECT 'trigger', format('%s.%s.%s', nspname, relname, tgname), pg_get_triggerdef(t.oid), NULL
  FROM pg_trigger t JOIN relations r ON r.oid = t.tgrelid WHERE NOT tgisinternal
UNION ALL
SELECT 'policy', format('%s.%s.%s', nspname, relname, polname),
        concat_ws(' ', polcmd, polroles::text, pg_get_expr(polqual, polrelid)), NULL
  FROM pg_policy p JOIN relations r ON r.oid = p.polrelid
UNION ALL
SELECT 'routine', p.oid::regprocedure::text, pg_get_functiondef(p.oid) || coalesce(p.proacl::text, 'public'),
        obj_description(p.oid, 'pg_proc')
  FROM pg_proc p JOIN spaces n ON n.oid = p.pronamespace
 WHERE p.prokind <> 'a' AND p.oid NOT IN (SELECT objid FROM own)
UNION ALL
SELECT 'type', format('%s.%s', nspname, typname), typtype::text, NULL
  FROM pg_type t JOIN spaces n ON n.oid = t.typnamespace
 WHERE t.oid NOT IN (SELECT objid FROM own) AND t.typelem NOT IN (SELECT objid FROM own)
