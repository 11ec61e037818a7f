-- Appends a row to pgvec.version_event. Only the owner, and functions that run as the owner, may call it.
CREATE OR REPLACE FUNCTION pgvec.log_event(collection text, model_version text, verb text,
                                           from_state text DEFAULT NULL, to_state text DEFAULT NULL,
                                           detail jsonb DEFAULT '{}')
RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO pgvec.version_event (collection, model_version, verb, from_state, to_state, detail)
    VALUES ($1, $2, $3, $4, $5, coalesce($6, '{}'));
$$;
