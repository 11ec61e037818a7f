-- What set_document_root does, behind the writers' door of the collection: only the owner can call it.
-- Raises: PV001, PV007 (empty; another root is recorded).
CREATE OR REPLACE FUNCTION pgvec.keep_document_root(collection text, document_root text, expected text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pgvec.get_collection(collection);
    IF coalesce(document_root, '') = '' THEN
        PERFORM pgvec.raise_error('PV007', 'a document root is the path of a folder.',
            jsonb_build_object('collection', collection), 'Such as: /srv/docs, or . for the folder of pgvec.toml.');
    END IF;
    UPDATE pgvec.collection k
       SET document_root = keep_document_root.document_root
     WHERE k.collection = keep_document_root.collection
       AND k.document_root IS NOT DISTINCT FROM keep_document_root.expected;
    IF NOT FOUND THEN
        PERFORM pgvec.raise_error('PV007',
            format('the root of the documents of %s is another than expected.', collection),
            (SELECT jsonb_build_object('collection', k.collection, 'document_root', k.document_root)
               FROM pgvec.collection k WHERE k.collection = keep_document_root.collection),
            'Another session has recorded it meanwhile. Run the same command again.');
    END IF;
    PERFORM pgvec.log_event(collection, NULL, 'set_document_root', NULL, NULL,
        jsonb_build_object('document_root', document_root, 'before', expected));
END
$$;
