-- Creates an empty table for one version's rows, LIKE the chunk table, with the CHECKs that let ATTACH skip its scan:
-- label, dimensions and, for cosine, length, and with the trigger that keeps a TRUNCATE from emptying it alone.
-- Raises: PV001.
CREATE OR REPLACE FUNCTION pgvec.create_leaf(in_schema text, leaf text, collection text, model_version text,
                                             dimensions integer)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c CONSTANT pgvec.collection := pgvec.get_collection(collection);
    vectors CONSTANT text := quote_ident(pgvec.vector_schema());
    norm CONSTANT text := CASE c.storage WHEN 'vector' THEN 'vector_norm' ELSE 'l2_norm' END;
    not_zero CONSTANT text := CASE WHEN c.distance = 'cosine' THEN
        format(', CONSTRAINT pgvec_not_zero CHECK (%s.%s(embedding) > 0)', vectors, norm) ELSE '' END;
BEGIN
    EXECUTE format('CREATE TABLE %I.%I (LIKE %s INCLUDING ALL EXCLUDING IDENTITY, '
                   'CONSTRAINT pgvec_version CHECK (model_version = %L), '
                   'CONSTRAINT pgvec_dimensions CHECK (%s.vector_dims(embedding) = %s)%s)',
                   in_schema, leaf, pgvec.chunk_table(collection), model_version, vectors, dimensions, not_zero);
    PERFORM pgvec.guard_leaf(format('%I.%I', in_schema, leaf)::regclass);
END
$$;
