-- Why a table cannot be adopted in place, each reason with what to do: from the catalog alone, no row is read.
-- Arguments:
--   columns  the chunk table's column to the table's own name for it, complete
--   options  distance, dimensions and the others of pgvec.begin_adoption
CREATE OR REPLACE FUNCTION pgvec.refuse_adoption(source regclass, collection text, model_version text, columns jsonb,
                                                 options jsonb DEFAULT '{}')
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    WITH t AS (SELECT r.*, n.nspname AS schema FROM pg_catalog.pg_class r
                 JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
                WHERE r.oid = $1)
    SELECT 'PV007', 'there is no such table.', '{}'::jsonb, 'Name it with its schema.'
     WHERE NOT EXISTS (SELECT FROM t)
    UNION ALL
    SELECT 'PV007', format('%s is not an ordinary table of its own: it is %s.', $1, w.what),
           jsonb_build_object('table', $1), 'Copy its rows into a collection instead: docs/adopt.md says how.'
      FROM t CROSS JOIN LATERAL (SELECT CASE
               WHEN t.relkind = 'p' THEN 'partitioned' WHEN t.relispartition THEN 'a partition'
               WHEN t.relkind = 'v' THEN 'a view' WHEN t.relkind = 'm' THEN 'a materialized view'
               WHEN t.relkind = 'f' THEN 'a foreign table' WHEN t.relpersistence = 't' THEN 'temporary'
               WHEN EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE $1 IN (i.inhrelid, i.inhparent))
               THEN 'part of a tree of tables that inherit'
               WHEN t.relkind <> 'r' THEN 'something else' END) w (what)
     WHERE w.what IS NOT NULL
    UNION ALL
    SELECT '42501', format('%s belongs to %s, not to %s.', $1, pg_get_userbyid(t.relowner), current_user),
           jsonb_build_object('table', $1, 'owner', pg_get_userbyid(t.relowner)),
           format('Ask the owner to adopt it, or: SET ROLE %I;', pg_get_userbyid(t.relowner))
      FROM t WHERE NOT pg_has_role(current_user, t.relowner, 'USAGE')
    UNION ALL
    SELECT 'PV004', format('%s belongs to a collection already.', $1), jsonb_build_object('table', $1), NULL
      FROM t WHERE t.schema IN ('pgvec', 'pgvec_leaves', 'pgvec_archive')
                OR EXISTS (SELECT FROM pgvec.collection c WHERE c.chunk_table = $1)
    UNION ALL
    SELECT 'PV004', format('the collection cannot have the name of the table: a view gets the name %I.', t.relname),
           jsonb_build_object('collection', $2), 'Choose another name for the collection.'
      FROM t WHERE t.relname = $2
    UNION ALL
    -- A key of another type is refused below, with the name of the column.
    SELECT r.* FROM t CROSS JOIN LATERAL pgvec.refuse_create_collection($2, t.schema,
        CASE WHEN $5 ->> 'id_type' IN ('uuid', 'bigint', 'integer', 'text') THEN $5 ELSE $5 - 'id_type' END) r
    UNION ALL
    SELECT * FROM pgvec.refuse_name($2, $3, true)
    UNION ALL
    SELECT * FROM pgvec.refuse_known_stores($1)
    UNION ALL
    SELECT 'PV007', format('%s: no column for %s is known.', $1, w.name), jsonb_build_object('column', w.name), w.hint
      FROM t CROSS JOIN (VALUES
               ('chunk_id', 'The table needs a primary key of one column. Otherwise copy its rows.'),
               ('embedding', 'Name the vector column; the table has none of type vector or halfvec, or several.'),
               ('content', 'Name the column of the texts.')) w (name, hint)
     WHERE NOT coalesce($4, '{}') ? w.name
    UNION ALL
    SELECT 'PV007', format('%s has no column %I.', $1, e.value), jsonb_build_object('column', e.value), NULL
      FROM t CROSS JOIN jsonb_each_text($4) e
     WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
                        WHERE a.attrelid = $1 AND a.attname = e.value AND a.attnum > 0 AND NOT a.attisdropped)
    UNION ALL
    SELECT 'PV007', format('%s.%I is %s: it cannot be the %s of a chunk.', $1, a.attname,
                           format_type(a.atttypid, a.atttypmod), e.key),
           jsonb_build_object('column', a.attname, 'type', format_type(a.atttypid, a.atttypmod)),
           format('It must be %s.', w.types)
      FROM t CROSS JOIN jsonb_each_text($4) e
      JOIN pg_catalog.pg_attribute a ON a.attrelid = $1 AND a.attname = e.value AND a.attnum > 0
      JOIN (VALUES ('chunk_id', 'uuid, bigint, integer, text or character varying'),
                   ('content', 'text or character varying'), ('document_id', 'text or character varying'),
                   ('metadata', 'jsonb'), ('position', 'integer'), ('embedding', 'vector or halfvec'))
           w (name, types) ON w.name = e.key
     WHERE CASE e.key WHEN 'embedding' THEN NOT pgvec.is_vector_type(a.atttypid::regtype)
           ELSE format_type(a.atttypid, NULL) <> ALL (regexp_split_to_array(w.types, ', | or ')) END
    UNION ALL
    SELECT * FROM pgvec.refuse_adopted_objects($1);
$$;
