-- Runs a verb behind the writers' door of a collection. Only the owner can call it.
-- Raises: PV001 (no such collection), PV002 (no such version), PV007 (no such verb; another document root).
CREATE OR REPLACE FUNCTION pgvec.waiting_verb(collection text, verb text, arguments jsonb)
RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF verb = 'free_versions' THEN
        RETURN (SELECT coalesce(jsonb_agg(to_jsonb(f)), '[]') FROM pgvec.lock_free_versions(collection) f);
    ELSIF verb = 'set_document_root' THEN
        PERFORM pgvec.keep_document_root(collection, arguments ->> 'document_root', arguments ->> 'expected');
        RETURN NULL;
    ELSIF verb IS DISTINCT FROM 'waiting_changes' THEN
        PERFORM pgvec.raise_error('PV007',
            format('%s is not for writers.', coalesce(quote_literal(verb), 'a verb without a name')),
            jsonb_build_object('collection', collection, 'verb', verb));
    END IF;
    RETURN pgvec.find_waiting(collection, arguments ->> 'model_version', arguments -> 'chunks');
END
$$;
