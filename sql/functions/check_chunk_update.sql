-- Row trigger on the chunk table and its leaves. Promise: a row's version never changes, a vector is
-- never left behind by its content, and written_at moves with every change.
-- Raises PV021 (content without a new embedding), PV022 (model_version changed).
CREATE OR REPLACE FUNCTION pgvec.check_chunk_update()
RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.model_version IS DISTINCT FROM OLD.model_version THEN
        PERFORM pgvec.raise_error('PV022', format('chunk %s: model_version cannot change from %s to %s.', OLD.chunk_id, OLD.model_version, NEW.model_version),
            jsonb_build_object('chunk_id', OLD.chunk_id, 'model_version', OLD.model_version, 'given', NEW.model_version),
            'A label says which model made the vector. Insert the chunk with the other version''s own vector instead.');
    END IF;
    -- Our own carrying brings content, vector and written_at from the row it copies.
    IF current_setting('pgvec.carrying', true) = 'on' THEN
        RETURN NEW;
    END IF;
    IF NEW.content IS DISTINCT FROM OLD.content
       AND ROW(NEW.embedding)::record OPERATOR(pg_catalog.*=) ROW(OLD.embedding)::record
       AND current_setting('pgvec.same_vector', true) IS DISTINCT FROM 'allowed' THEN
        PERFORM pgvec.raise_error('PV021', format('chunk %s of %s: content changed without a new embedding.', OLD.chunk_id, OLD.model_version),
            jsonb_build_object('chunk_id', OLD.chunk_id, 'model_version', OLD.model_version),
            'Set content and embedding in the same UPDATE. If the model really gives the same vector for both texts: SET LOCAL pgvec.same_vector = ''allowed'';');
    END IF;
    -- Later than what it replaces, also where the clock was put back.
    NEW.written_at := greatest(clock_timestamp(), OLD.written_at + interval '1 microsecond');
    RETURN NEW;
END
$$;
