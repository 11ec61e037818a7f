-- The SELECT of a view over one version's leaf: the chunk table's columns in their order, the vector cast so that
-- the expression index serves it and the view's column still has no dimension. ``without``: columns that are to go away.
CREATE OR REPLACE FUNCTION pgvec.view_source(collection text, model_version text, without text[] DEFAULT '{}')
RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    vectors text := quote_ident(pgvec.vector_schema());
BEGIN
    RETURN format('SELECT %s FROM pgvec_leaves.%I WHERE model_version = %L',
        (SELECT string_agg(CASE WHEN f = 'embedding' THEN format('(embedding::%1$s.%2$I(%3$s))::%1$s.%2$I AS embedding', vectors, c.storage, v.dimensions) ELSE f END, ', ' ORDER BY place)
           FROM unnest(pgvec.column_list(pgvec.chunk_table(collection))) WITH ORDINALITY AS columns(f, place)
          WHERE f <> ALL (ARRAY(SELECT quote_ident(w) FROM unnest(without) w))),
        v.leaf, v.model_version);
END
$$;
