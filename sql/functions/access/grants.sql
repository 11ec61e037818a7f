-- Recorded privileges on a collection: written down in pgvec.collection_grant and given again to every new
-- leaf and view. Read: the views and nearest. Write: rows of the chunk table. Worker: the work items and
-- the leaves, no DDL. Raises PV001; 42704 for an unknown role.
CREATE OR REPLACE FUNCTION pgvec.grant_read(collection text, grantee regrole)
RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$ SELECT pgvec.record_grant($1, $2, 'read') $$;

CREATE OR REPLACE FUNCTION pgvec.grant_write(collection text, grantee regrole)
RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$ SELECT pgvec.record_grant($1, $2, 'write') $$;

CREATE OR REPLACE FUNCTION pgvec.grant_worker(collection text, grantee regrole)
RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$ SELECT pgvec.record_grant($1, $2, 'worker') $$;

-- And back: the record goes, with what it alone gave. Nothing happens to what was never recorded.
-- Raises PV001; 42704 for an unknown role.
CREATE OR REPLACE FUNCTION pgvec.revoke_read(collection text, grantee regrole)
RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$ SELECT pgvec.revoke_grant($1, $2, 'read') $$;

CREATE OR REPLACE FUNCTION pgvec.revoke_write(collection text, grantee regrole)
RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$ SELECT pgvec.revoke_grant($1, $2, 'write') $$;

CREATE OR REPLACE FUNCTION pgvec.revoke_worker(collection text, grantee regrole)
RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$ SELECT pgvec.revoke_grant($1, $2, 'worker') $$;
