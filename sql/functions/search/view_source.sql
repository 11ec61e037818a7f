-- Returns the SELECT of a view over one version's leaf: the chunk table's columns in their order. The vector is cast so
-- that the expression index serves it and the view's column still has no dimension.
-- Arguments:
--   without  columns to leave out
-- Raises: PV001, PV002, PV007 (no chunk table).
CREATE OR REPLACE FUNCTION pgvec.view_source(collection text, model_version text, without text[] DEFAULT '{}')
RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c CONSTANT pgvec.collection := pgvec.get_collection(collection);
    v CONSTANT pgvec.model_version := pgvec.get_version(collection, model_version);
    vector_type CONSTANT text := format('%I.%I', pgvec.vector_schema(), c.storage);
    embedding CONSTANT text := CASE v.index_kind WHEN 'cast' THEN
        format('%s::%s AS embedding', pgvec.ranked_embedding(vector_type, v.dimensions, v.index_kind), vector_type)
        ELSE 'embedding' END;
    columns text;
BEGIN
    SELECT string_agg(CASE l.name WHEN 'embedding' THEN embedding ELSE l.name END, ', ' ORDER BY l.place) INTO columns
      FROM unnest(pgvec.column_list(pgvec.chunk_table(collection))) WITH ORDINALITY l (name, place)
     WHERE l.name <> ALL (ARRAY(SELECT quote_ident(w) FROM unnest(without) w));
    RETURN format('SELECT %s FROM pgvec_leaves.%I WHERE model_version = %L', columns, v.leaf, v.model_version);
END
$$;
