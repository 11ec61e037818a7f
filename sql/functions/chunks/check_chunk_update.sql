-- Row trigger on the chunk table and its leaves, for an UPDATE that does not set the turn. It runs once the row is
-- locked, after every wait for it.
-- Promises: content never changes without its vector; the row takes the next turn, and written_at moves. The UPDATE
-- passes over a row of an abandoned version, so that no rule of that row or of its leaf can stop the statement.
-- Raises: PV021 (content without a new embedding).
-- Why SECURITY DEFINER: a writer needs no privilege on schema pgvec. It does nothing else with its owner's rights.
CREATE OR REPLACE FUNCTION pgvec.check_chunk_update()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    same_content CONSTANT boolean := NEW.content IS NOT DISTINCT FROM OLD.content;
    same_vector CONSTANT boolean := ROW(NEW.embedding)::record OPERATOR(pg_catalog.*=) ROW(OLD.embedding)::record;
BEGIN
    -- A foreign key's action, which comes from inside another trigger, must reach every row; it changes neither column.
    IF (pg_trigger_depth() = 1 OR NOT same_content OR NOT same_vector)
       AND EXISTS (SELECT FROM pgvec.model_version v WHERE v.leaf = TG_TABLE_NAME AND v.state = 'abandoned') THEN
        RETURN NULL;
    END IF;
    IF NOT same_content AND same_vector
       AND current_setting('pgvec.same_vector', true) IS DISTINCT FROM 'allowed' THEN
        PERFORM pgvec.raise_error('PV021',
            format('chunk %s of %s: content changed without a new embedding.', OLD.chunk_id, OLD.model_version),
            jsonb_build_object('chunk_id', OLD.chunk_id, 'model_version', OLD.model_version),
            'Set content and embedding in the same UPDATE. If the model really gives the same vector for both texts: '
            'SET LOCAL pgvec.same_vector = ''allowed'';');
    END IF;
    NEW.turn := nextval('pgvec.turn');
    NEW.written_at := clock_timestamp();
    RETURN NEW;
END
$$;
