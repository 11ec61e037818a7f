-- Records the folder that the ids of a collection's documents are relative to. Any writer may do this.
-- Arguments:
--   document_root   an absolute path, or a path in the folder of pgvec.toml ('.' is that folder)
--   expected        the root that is recorded now; NULL: none is
-- Raises: PV001, PV007 (empty; another root is recorded), 42501 (not a writer of this collection).
CREATE OR REPLACE FUNCTION pgvec.set_document_root(collection text, document_root text, expected text DEFAULT NULL)
RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT pgvec.ask_door('waiting', $1, 'set_document_root',
                          jsonb_build_object('document_root', $2, 'expected', $3));
$$;
