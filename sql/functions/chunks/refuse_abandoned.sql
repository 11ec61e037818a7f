-- Refuses a write that no version would ever show: an INSERT into an abandoned version, and an UPDATE whose rows are
-- all of abandoned versions.
-- Arguments:
--   labels  the versions of the rows that the statement wrote
-- Raises: PV023.
CREATE OR REPLACE FUNCTION pgvec.refuse_abandoned(collection text, abandoned text[], labels text[], operation text)
RETURNS void LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wrong CONSTANT text := (SELECT min(k.label) FROM unnest(labels) k (label) WHERE k.label = ANY (abandoned));
BEGIN
    IF wrong IS NOT NULL AND (operation = 'INSERT' OR labels <@ abandoned) THEN
        PERFORM pgvec.raise_error('PV023',
            format('version %s of %s is abandoned: nothing is written to it.', wrong, collection),
            jsonb_build_object('collection', collection, 'model_version', wrong),
            'Write with the label of a live version.');
    END IF;
END
$$;
