-- After the files of the catalog: the doors of every collection, and nothing for PUBLIC.
SELECT pgvec.put_doors(c.collection) FROM pgvec.collection c;
REVOKE ALL ON ALL ROUTINES IN SCHEMA pgvec FROM PUBLIC;
-- Functions that are new in this version, for those who have a recorded grant.
SELECT pgvec.apply_grants(c.collection) FROM pgvec.collection c
 WHERE EXISTS (SELECT FROM pgvec.collection_grant g WHERE g.collection = c.collection);
