-- Refuses an INSERT into an abandoned version, because no version would ever show its rows. An UPDATE or a DELETE may
-- name no version at all, and so it is never refused; see pgvec.check_chunk_update.
-- Arguments:
--   labels  the versions of the rows that the statement inserted
-- Raises: PV023.
CREATE OR REPLACE FUNCTION pgvec.refuse_abandoned(collection text, abandoned text[], labels text[])
RETURNS void LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wrong CONSTANT text := (SELECT min(k.label) FROM unnest(labels) k (label) WHERE k.label = ANY (abandoned));
BEGIN
    IF wrong IS NOT NULL THEN
        PERFORM pgvec.raise_error('PV023',
            format('version %s of %s is abandoned: nothing is written to it.', wrong, collection),
            jsonb_build_object('collection', collection, 'model_version', wrong),
            'Write with the label of a live version.');
    END IF;
END
$$;
