-- Lists all relations of a collection that exist in the database: chunk table, views, leaves, archived leaves. It finds
-- chunk table and views by their remembered OID, not by name.
-- Raises: PV001.
CREATE OR REPLACE FUNCTION pgvec.collection_relations(collection text)
RETURNS SETOF regclass LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.oid::regclass FROM pgvec.get_collection($1) c
     CROSS JOIN LATERAL (
        VALUES (c.chunk_table), (c.routing_view)
        UNION ALL
        SELECT p.relation FROM pgvec.model_version v
         CROSS JOIN LATERAL (VALUES (v.pinned_relation), (to_regclass(format('pgvec_leaves.%I', v.leaf))),
                                    (to_regclass(format('pgvec_archive.%I', v.leaf)))) p (relation)
         WHERE v.collection = c.collection
        UNION ALL
        SELECT p.relation FROM pgvec.adoption a CROSS JOIN LATERAL (VALUES (a.intake), (a.old_view)) p (relation)
         WHERE a.collection = c.collection
     ) n (relation) JOIN pg_class t ON t.oid = n.relation;
$$;
