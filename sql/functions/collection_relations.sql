-- All relations of a collection that stand in the database: chunk table, views, leaves, archived leaves. Raises PV001.
CREATE OR REPLACE FUNCTION pgvec.collection_relations(collection text)
RETURNS SETOF regclass LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT to_regclass(n.name) FROM pgvec.get_collection($1) c
     CROSS JOIN LATERAL (
        VALUES (format('%I.%I', c.host_schema, c.collection)),
               (format('%I.%I', c.host_schema, 'active_' || c.collection))
        UNION ALL
        SELECT format('%I.%I', p.schema, p.name) FROM pgvec.model_version v
         CROSS JOIN LATERAL (VALUES ('pgvec_leaves', v.leaf), ('pgvec_archive', v.leaf),
                                    (c.host_schema, v.pinned_view)) p (schema, name)
         WHERE v.collection = c.collection AND (v.dropped_at IS NULL OR p.schema = 'pgvec_archive')
     ) n (name)
     WHERE to_regclass(n.name) IS NOT NULL;
$$;
