-- Every table privilege of a role, and whether it may enter our schemas and call our functions.
SELECT c.oid::regclass::text, p
  FROM pg_class c, unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) p
 WHERE c.relkind IN ('r', 'p', 'v') AND c.relnamespace::regnamespace::text IN ('public', 'pgvec', 'pgvec_leaves')
   AND has_table_privilege(%(role)s, c.oid, p)
UNION ALL
SELECT n, 'USAGE' FROM unnest('{pgvec,pgvec_leaves}'::text[]) n WHERE has_schema_privilege(%(role)s, n, 'USAGE')
UNION ALL
SELECT p.oid::regprocedure::text, 'EXECUTE' FROM pg_proc p
 WHERE p.pronamespace = 'pgvec'::regnamespace AND has_function_privilege(%(role)s, p.oid, 'EXECUTE')
