-- Vectors made for chunks of a version, before any is written: each is there, has the version's dimensions, fits its
-- storage and, for cosine, has a direction. The leaf's CHECKs say the same; this says it with a code of ours. Nothing is
-- written here, so that the block costs no transaction number. Raises PV015.
CREATE OR REPLACE FUNCTION pgvec.check_vectors(c pgvec.collection, t pgvec.model_version, chunk_ids text[],
                                               embeddings vector[])
RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    statement CONSTANT text := $q$
        SELECT m.chunk_id || CASE WHEN m.embedding IS NULL THEN ' has none'
                                  WHEN %1$I.vector_dims(m.embedding) <> %2$s
                                  THEN format(' has one of %%s dimensions', %1$I.vector_dims(m.embedding))
                                  ELSE ' has one of zeros' END
          FROM unnest($1, $2) m (chunk_id, embedding)
         WHERE m.chunk_id IS NOT NULL
           AND CASE WHEN m.embedding IS NULL THEN true WHEN %1$I.vector_dims(m.embedding) <> %2$s THEN true
                    ELSE %1$I.%3$I(m.embedding::%1$I.%4$I) = 0 AND %5$L END LIMIT 1 $q$;
    wrong text;
BEGIN
    BEGIN
        EXECUTE format(statement, pgvec.vector_schema(), t.dimensions,
                       CASE c.storage WHEN 'vector' THEN 'vector_norm' ELSE 'l2_norm' END, c.storage,
                       c.distance = 'cosine') INTO wrong USING chunk_ids, embeddings;
    EXCEPTION WHEN data_exception THEN
        wrong := format('one does not fit into %s: %s', c.storage, SQLERRM);
    END;
    IF wrong IS NOT NULL THEN
        PERFORM pgvec.raise_error('PV015',
            format('every chunk needs a vector of %s dimensions for %s; %s.', t.dimensions, t.model_version, wrong),
            jsonb_build_object('collection', c.collection, 'model_version', t.model_version));
    END IF;
END
$$;
