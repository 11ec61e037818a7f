-- Checks vectors made for chunks of a version before any is written: each must be there, have the version's dimensions,
-- fit its storage and, for cosine, have a direction.
-- Raises: PV015 (one does not). Why: the leaf's CHECKs refuse the same vectors, but not with a code of ours. The
-- exception block costs no transaction number, because it writes nothing.
CREATE OR REPLACE FUNCTION pgvec.check_vectors(c pgvec.collection, target pgvec.model_version, chunk_ids text[],
                                               embeddings vector[])
RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    vectors CONSTANT text := pgvec.vector_schema();
    norm CONSTANT text := CASE c.storage WHEN 'vector' THEN 'vector_norm' ELSE 'l2_norm' END;
    needs_direction CONSTANT boolean := c.distance = 'cosine';
    wrong text;
BEGIN
    BEGIN
        EXECUTE format($query$
            SELECT m.chunk_id || CASE WHEN m.embedding IS NULL THEN ' has none'
                                      WHEN %1$I.vector_dims(m.embedding) <> $3
                                      THEN format(' has one of %%s dimensions', %1$I.vector_dims(m.embedding))
                                      ELSE ' has one of zeros' END
              FROM unnest($1, $2) m (chunk_id, embedding)
             WHERE m.chunk_id IS NOT NULL
               AND CASE WHEN m.embedding IS NULL THEN true
                        WHEN %1$I.vector_dims(m.embedding) <> $3 THEN true
                        ELSE %1$I.%2$I(m.embedding::%1$I.%3$I) = 0 AND $4 END
             LIMIT 1
        $query$, vectors, norm, c.storage) INTO wrong USING chunk_ids, embeddings, target.dimensions, needs_direction;
    EXCEPTION WHEN data_exception THEN
        wrong := format('one does not fit into %s: %s', c.storage, SQLERRM);
    END;
    IF wrong IS NOT NULL THEN
        PERFORM pgvec.raise_error('PV015',
            format('every chunk needs a vector of %s dimensions for %s; %s.', target.dimensions,
                   target.model_version, wrong),
            jsonb_build_object('collection', c.collection, 'model_version', target.model_version));
    END IF;
END
$$;
