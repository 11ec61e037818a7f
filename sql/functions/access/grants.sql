-- Grants a role a privilege on one collection, and records it in pgvec.collection_grant, so that it holds on every new
-- leaf and view too. Read: the views and pgvec.nearest. Write: rows of the chunk table. Worker: work items and leaves,
-- no DDL. pgvec.privilege_words lists all of it.
-- Raises: PV001, PV007 (no role), 42704 (an unknown role).
CREATE OR REPLACE FUNCTION pgvec.grant_read(collection text, grantee regrole)
RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$ SELECT pgvec.record_grant($1, $2, 'read') $$;

CREATE OR REPLACE FUNCTION pgvec.grant_write(collection text, grantee regrole)
RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$ SELECT pgvec.record_grant($1, $2, 'write') $$;

CREATE OR REPLACE FUNCTION pgvec.grant_worker(collection text, grantee regrole)
RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$ SELECT pgvec.record_grant($1, $2, 'worker') $$;

-- Revokes a recorded privilege: deletes the record, and revokes what no other record of the role gives. A privilege
-- that was never recorded stays.
-- Raises: PV001, 42501 (the caller may not revoke), 42704 (an unknown role).
CREATE OR REPLACE FUNCTION pgvec.revoke_read(collection text, grantee regrole)
RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$ SELECT pgvec.revoke_grant($1, $2, 'read') $$;

CREATE OR REPLACE FUNCTION pgvec.revoke_write(collection text, grantee regrole)
RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$ SELECT pgvec.revoke_grant($1, $2, 'write') $$;

CREATE OR REPLACE FUNCTION pgvec.revoke_worker(collection text, grantee regrole)
RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$ SELECT pgvec.revoke_grant($1, $2, 'worker') $$;
