-- Has a draining version follow writes again. It also takes over the open work of the versions that it is compared
-- with.
-- Raises: PV001 (no such collection), PV002 (no such version), 55P03 (no lock on the chunk table).
CREATE OR REPLACE FUNCTION pgvec.follow_again(collection text, model_version text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
BEGIN
    PERFORM pgvec.lock_chunk_table(collection);
    UPDATE pgvec.model_version k SET follows = true
     WHERE k.collection = v.collection AND k.model_version = v.model_version;
    PERFORM pgvec.inherit_work(collection, model_version);
    PERFORM pgvec.log_event(collection, model_version, 'follow_again', v.state, v.state);
END
$$;
