-- Row trigger on the chunk table and its leaves, for an UPDATE that changes the label.
-- Promise: a row's version never changes.
-- Raises: PV022.
CREATE OR REPLACE FUNCTION pgvec.refuse_relabel()
RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgvec.raise_error('PV022',
        format('chunk %s: model_version cannot change from %s to %s.',
               OLD.chunk_id, OLD.model_version, NEW.model_version),
        jsonb_build_object('chunk_id', OLD.chunk_id, 'model_version', OLD.model_version, 'given', NEW.model_version),
        'A label says which model made the vector. Insert the chunk with the other version''s own vector instead.');
    RETURN NULL;
END
$$;
