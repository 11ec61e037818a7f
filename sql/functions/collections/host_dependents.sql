-- Lists the host objects that depend on these relations and keep DROP from removing them: a view, a foreign key, a
-- function, a column of a row's type. It leaves out what goes with them by itself: partitions, indexes, triggers,
-- policies.
-- Shape: a sentence each, as PostgreSQL words it. Source: findDependentObjects in PostgreSQL's dependency.c.
CREATE OR REPLACE FUNCTION pgvec.host_dependents(relations regclass[])
RETURNS TABLE (dependent text) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE gone (classid, objid) AS (
        SELECT 'pg_class'::regclass::oid, r.relation::oid FROM unnest($1) r (relation) WHERE r.relation IS NOT NULL
        UNION
        SELECT d.classid, d.objid FROM pg_catalog.pg_depend d
          JOIN gone g ON d.refclassid = g.classid AND d.refobjid = g.objid
         WHERE d.deptype IN ('a', 'i', 'P', 'S')
    )
    SELECT DISTINCT format('%s depends on %s',
               CASE WHEN w.oid IS NULL THEN pg_describe_object(d.classid, d.objid, 0)
                    ELSE pg_describe_object('pg_class'::regclass, w.ev_class, 0) END,
               pg_describe_object(d.refclassid, d.refobjid, 0))
      FROM gone g
      JOIN pg_catalog.pg_depend d ON d.refclassid = g.classid AND d.refobjid = g.objid AND d.deptype = 'n'
      LEFT JOIN pg_catalog.pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
     WHERE NOT EXISTS (SELECT FROM gone o WHERE o.classid = d.classid AND o.objid = d.objid);
$$;
