-- What a search writes for a chunk's vector, so that the version's index serves it.
-- Arguments:
--   vector_type  pgvector's type for the stored vectors, without dimensions: with its schema, quoted
--   index_kind   'cast': the leaf's index holds the vector cast to its dimensions; 'column': the leaf was a table
--                before, whose own searches cast nothing
CREATE OR REPLACE FUNCTION pgvec.ranked_embedding(vector_type text, dimensions integer, index_kind text)
RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE index_kind WHEN 'cast' THEN format('(embedding::%s(%s))', vector_type, dimensions)
                           ELSE 'embedding' END;
$$;
