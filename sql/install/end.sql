-- After the files of the catalog: the doors of every collection, nothing for PUBLIC, and the caller's settings as they were.
SELECT pgvec.put_doors(c.collection) FROM pgvec.collection c;
REVOKE ALL ON ALL ROUTINES IN SCHEMA pgvec FROM PUBLIC;
-- Functions that are new in this version, for those who have a recorded grant.
SELECT pgvec.apply_grants(c.collection) FROM pgvec.collection c
 WHERE EXISTS (SELECT FROM pgvec.collection_grant g WHERE g.collection = c.collection);
SET LOCAL check_function_bodies = on;
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('pgvec.saved_search_path'), true);
SELECT pg_catalog.set_config('pgvec.saved_search_path', '', true);
