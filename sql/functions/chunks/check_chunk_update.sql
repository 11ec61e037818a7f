-- Row trigger on the chunk table and its leaves, for an UPDATE that does not set the turn. It runs once the row is
-- locked, after every wait for it.
-- Promises: content never changes without its vector; the row takes the next turn, and written_at moves. The UPDATE
-- passes over a row of an abandoned version, so that no rule of that row or of its leaf can stop the statement.
-- Raises: PV021 (content without a new embedding).
-- Why SECURITY DEFINER: a writer needs no privilege on schema pgvec. It does nothing else with its owner's rights.
CREATE OR REPLACE FUNCTION pgvec.check_chunk_update()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    same_vector boolean;
BEGIN
    IF EXISTS (SELECT FROM pgvec.model_version v WHERE v.leaf_relation = TG_RELID AND v.state = 'abandoned') THEN
        same_vector := ROW(NEW.embedding)::record OPERATOR(pg_catalog.*=) ROW(OLD.embedding)::record;
        -- A foreign key's action comes from inside another trigger. It must reach every row; it changes neither column.
        IF pg_trigger_depth() = 1 OR NEW.content IS DISTINCT FROM OLD.content OR NOT same_vector THEN
            RETURN NULL;
        END IF;
    ELSIF NEW.content IS DISTINCT FROM OLD.content
          AND ROW(NEW.embedding)::record OPERATOR(pg_catalog.*=) ROW(OLD.embedding)::record
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
