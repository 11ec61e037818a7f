-- Refuses a query that the leaf of a version cannot answer; the second step of pgvec.nearest.
-- Arguments:
--   dimensions, storage, distance  those of the version and its collection
--   vectors                        the schema of pgvector, quoted
-- Raises: PV007 (k, ef_search), PV015 (no vector, its dimensions, all zeros).
CREATE OR REPLACE FUNCTION pgvec.check_query(collection text, query_version text, dimensions integer, storage text,
                                             distance text, vectors text, query vector, k integer, ef_search integer)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    norm CONSTANT text := CASE storage WHEN 'vector' THEN 'vector_norm' ELSE 'l2_norm' END;
    given integer;
    is_zero boolean;
BEGIN
    IF k IS NULL OR k < 1 THEN
        PERFORM pgvec.raise_error('PV007', 'k must be 1 or more.', jsonb_build_object('k', k));
    END IF;
    IF ef_search IS NOT NULL AND ef_search NOT BETWEEN 1 AND 1000 THEN
        PERFORM pgvec.raise_error('PV007', 'ef_search must be 1 to 1000.', jsonb_build_object('ef_search', ef_search));
    END IF;
    IF query IS NULL THEN
        PERFORM pgvec.raise_error('PV015', 'the query vector is NULL.', jsonb_build_object('collection', collection));
    END IF;
    EXECUTE format('SELECT %1$s.vector_dims($1), %1$s.%2$I($1::%1$s.%3$I) = 0', vectors, norm, storage)
       INTO given, is_zero USING query;
    IF given <> dimensions THEN
        PERFORM pgvec.raise_error('PV015',
            format('the query vector has %s dimensions, version %s of %s has %s.',
                   given, query_version, collection, dimensions),
            jsonb_build_object('collection', collection, 'query_version', query_version,
                               'given', given, 'needed', dimensions),
            'Was it made by another model?');
    END IF;
    IF distance = 'cosine' AND is_zero THEN
        PERFORM pgvec.raise_error('PV015',
            format('the query vector is all zeros as %s: it has no direction to compare.', storage),
            jsonb_build_object('collection', collection));
    END IF;
END
$$;
