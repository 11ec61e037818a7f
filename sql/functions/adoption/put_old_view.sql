-- Creates the view that has the table's name and columns from now on, with the privileges that the table gave. It is
-- pinned to the adopted version, and PostgreSQL writes through it into the intake. Returns it.
CREATE OR REPLACE FUNCTION pgvec.put_old_view(a pgvec.adoption)
RETURNS regclass LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old_name CONSTANT text := format('%I.%I', a.host_schema, a.table_name);
    statement text;
BEGIN
    EXECUTE (SELECT format('CREATE VIEW %s WITH (security_invoker = true) AS SELECT %s FROM %s', old_name,
                           string_agg(format('%I AS %I', n.name, k.own ->> 'name'), ', ' ORDER BY k.place), a.intake)
               FROM jsonb_array_elements(a.original -> 'columns') WITH ORDINALITY k (own, place)
              CROSS JOIN LATERAL pgvec.chunk_column(a.columns, k.own ->> 'name') n (name));
    EXECUTE format('COMMENT ON VIEW %s IS %L', old_name,
                   coalesce(obj_description(a.source, 'pg_class') || ' ', '')
                   || format('(pgvec-versions: version %s of %s)', a.model_version, a.collection));
    FOR statement IN
        SELECT format('GRANT %s ON %s TO %s%s', p.privilege_type, r.relation,
                      CASE p.grantee WHEN 0 THEN 'PUBLIC' ELSE p.grantee::regrole::text END,
                      CASE WHEN p.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
          FROM pg_catalog.pg_class t CROSS JOIN LATERAL aclexplode(t.relacl) p
         CROSS JOIN (VALUES (old_name), (a.intake::text)) r (relation)
         WHERE t.oid = a.source AND p.grantee <> t.relowner
           AND p.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
        UNION ALL
        SELECT format('GRANT USAGE ON SEQUENCE %s TO %s', a.original ->> 'sequence',
                      CASE p.grantee WHEN 0 THEN 'PUBLIC' ELSE p.grantee::regrole::text END)
          FROM pg_catalog.pg_class t CROSS JOIN LATERAL aclexplode(t.relacl) p
         WHERE t.oid = a.source AND p.grantee <> t.relowner AND p.privilege_type = 'INSERT'
           AND a.original ->> 'sequence' IS NOT NULL
    LOOP
        EXECUTE statement;
    END LOOP;
    RETURN old_name::regclass;
END
$$;
