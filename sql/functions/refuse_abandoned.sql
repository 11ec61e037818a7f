-- What a trigger asks before it carries anything: nothing is written to an abandoned version. Raises PV023.
CREATE OR REPLACE FUNCTION pgvec.refuse_abandoned(collection text, labels text[])
RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wrong text;
BEGIN
    SELECT v.model_version INTO wrong FROM pgvec.model_version v
     WHERE v.collection = refuse_abandoned.collection AND v.model_version = ANY (labels) AND v.state = 'abandoned' LIMIT 1;
    IF FOUND THEN
        PERFORM pgvec.raise_error('PV023', format('version %s of %s is abandoned: nothing is written to it.', wrong, collection),
            jsonb_build_object('collection', collection, 'model_version', wrong), 'Write with the label of a live version.');
    END IF;
END
$$;
