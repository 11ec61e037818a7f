-- Lists why create_collection would refuse, in its order: the name, the schema, its options, what exists already, the
-- right to create a table in the schema.
-- Arguments:
--   options  distance, storage, id_type, retire_after: those that are given are judged
CREATE OR REPLACE FUNCTION pgvec.refuse_create_collection(collection text, host_schema text, options jsonb DEFAULT '{}')
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM pgvec.refuse_name($1)
    UNION ALL
    SELECT 'PV007', format('the search_path names no schema that exists and that role %s may use: '
                           'there is nowhere to put the chunk table.', current_user),
           '{}', format('Name one: SET search_path = public; or ask a superuser to run: '
                        'CREATE SCHEMA app AUTHORIZATION %1$I; ALTER ROLE %1$I SET search_path = app, public;',
                        current_user)
     WHERE $2 IS NULL
    UNION ALL
    SELECT 'PV007', format('there is no schema %s.', quote_ident($2)), jsonb_build_object('host_schema', $2),
           'Create it, or name another.'
     WHERE to_regnamespace(quote_ident($2)) IS NULL AND $2 IS NOT NULL
    UNION ALL
    SELECT 'PV007', format('unknown %s %L.', o.option, $3 ->> o.option),
           jsonb_build_object(o.option, $3 -> o.option), o.hint
      FROM (VALUES ('distance', '{cosine,l2,inner_product}'::text[], 'Use cosine, l2 or inner_product.'),
                   ('storage', '{vector,halfvec}', 'Use vector or halfvec.'),
                   ('id_type', '{uuid,bigint,integer,text}', 'Use uuid, bigint, integer or text.')
                   ) o (option, known, hint)
     WHERE $3 ? o.option AND coalesce($3 ->> o.option, '') <> ALL (o.known)
    UNION ALL
    SELECT 'PV007', 'retire_after must be an interval from zero to 1000 years.',
           jsonb_build_object('retire_after', $3 -> 'retire_after'), NULL
     WHERE $3 ? 'retire_after' AND (($3 ->> 'retire_after')::interval BETWEEN '0' AND '1000 years') IS NOT TRUE
    UNION ALL
    SELECT 'PV004', format('collection %s already exists.', $1), jsonb_build_object('collection', $1),
           'Use it, or choose another name.'
     WHERE EXISTS (SELECT FROM pgvec.collection c WHERE c.collection = $1)
    UNION ALL
    SELECT 'PV004', format('the name %s.%s is taken: a table, a view or a version of another collection has it.',
                  quote_ident($2), quote_ident(t.name)),
           jsonb_build_object('relation', t.name, 'schema', $2), 'Choose another name for the collection.'
      FROM pgvec.taken_name($1, $2, $3 ->> 'id_type') t (name)
     WHERE t.name IS NOT NULL AND NOT EXISTS (SELECT FROM pgvec.collection c WHERE c.collection = $1)
    UNION ALL
    SELECT '42501', format('role %s may not create tables in schema %s.', current_user, n.nspname),
           jsonb_build_object('host_schema', n.nspname, 'role', current_user),
           format('Ask the owner of the schema (%s) or a superuser to run: GRANT USAGE, CREATE ON SCHEMA %I TO %I; '
                  'or use another schema: SET search_path.', pg_get_userbyid(n.nspowner), n.nspname, current_user)
      FROM pg_namespace n
     WHERE n.nspname = $2 AND NOT (has_schema_privilege(n.oid, 'CREATE') AND has_schema_privilege(n.oid, 'USAGE'));
$$;
