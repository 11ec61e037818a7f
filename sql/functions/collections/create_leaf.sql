-- Creates an empty table for one version's rows, LIKE the chunk table, with the CHECKs by which ATTACH needs no scan:
-- label, dimensions and, for cosine, length. Raises PV001.
CREATE OR REPLACE FUNCTION pgvec.create_leaf(in_schema text, leaf text, collection text, model_version text, dimensions integer)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    vectors text := pgvec.vector_schema();
BEGIN
    EXECUTE format('CREATE TABLE %I.%I (LIKE %s INCLUDING ALL EXCLUDING IDENTITY, '
                   'CONSTRAINT pgvec_version CHECK (model_version = %L), '
                   'CONSTRAINT pgvec_dimensions CHECK (%I.vector_dims(embedding) = %s)%s)',
                   in_schema, leaf, pgvec.chunk_table(collection), model_version, vectors, dimensions,
                   CASE WHEN c.distance = 'cosine' THEN
                       format(', CONSTRAINT pgvec_not_zero CHECK (%I.%I(embedding) > 0)', vectors, CASE c.storage WHEN 'vector' THEN 'vector_norm' ELSE 'l2_norm' END)
                   ELSE '' END);
END
$$;
