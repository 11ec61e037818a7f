-- What the verbs of a transition ask first. Raises PV060 while the version is paused.
CREATE OR REPLACE FUNCTION pgvec.refuse_paused(collection text, model_version text, verb text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    since timestamptz := (SELECT v.paused_at FROM pgvec.model_version v
                           WHERE v.collection = refuse_paused.collection AND v.model_version = refuse_paused.model_version);
BEGIN
    IF since IS NOT NULL THEN
        PERFORM pgvec.raise_error('PV060', format('%s: version %s of %s is paused since %s.', verb, model_version, collection, to_char(since, 'YYYY-MM-DD HH24:MI:SS')),
            jsonb_build_object('collection', collection, 'model_version', model_version, 'paused_at', since, 'verb', verb),
            format('SELECT pgvec.resume(%L, %L); or pgvec resume %s.', collection, model_version, model_version));
    END IF;
END
$$;
