-- Each write calls pgvec.chunk_table once a statement: it raises when another table has the chunk table's name.

-- name: stored_chunks
-- The chunks of one version among the given ids, without their vectors. Overtaken: another version holds a later text
-- that has not been carried yet, or a work item waits that may be a delete.
SELECT t.chunk_id, t.document_id, t.position, t.content, t.metadata,
       EXISTS (SELECT FROM {chunk_table} o
                WHERE o.chunk_id = t.chunk_id AND o.model_version <> {model_version}
                  AND o.content <> t.content AND o.turn > t.turn)
       OR t.chunk_id::text IN (SELECT pgvec.waiting_changes(%(collection)s, {model_version},
                                                            array_agg(k.chunk_id::text), array_agg(k.turn))
                                 FROM {chunk_table} k
                                WHERE k.model_version = {model_version} AND k.chunk_id = ANY (%(ids)s)) AS overtaken
  FROM {chunk_table} t
 WHERE pgvec.chunk_table(%(collection)s) IS NOT NULL
   AND t.model_version = {model_version} AND t.chunk_id = ANY (%(ids)s)

-- name: known_documents
-- Those of the given documents that already have chunks.
SELECT d.document_id
  FROM unnest(%(documents)s::text[]) d(document_id)
 WHERE EXISTS (SELECT FROM {chunk_table} t WHERE t.model_version = {model_version} AND t.document_id = d.document_id)

-- name: known_vectors
-- Vectors of texts that these documents already have, for texts that only moved.
SELECT DISTINCT ON (t.content) t.content, t.embedding
  FROM {chunk_table} t
 WHERE t.model_version = {model_version} AND t.document_id = ANY (%(documents)s) AND t.content = ANY (%(texts)s)

-- name: copy_chunks
COPY {chunk_table} (chunk_id, model_version, document_id, position, content, metadata, embedding)
FROM STDIN (FORMAT binary)

-- name: replace_chunk
UPDATE {chunk_table} t
   SET document_id = %(document_id)s, position = %(position)s, content = %(content)s, metadata = %(metadata)s,
       embedding = %(embedding)s
 WHERE t.model_version = {model_version} AND t.chunk_id = %(chunk_id)s

-- name: touch_chunk
UPDATE {chunk_table} t
   SET document_id = %(document_id)s, position = %(position)s, metadata = %(metadata)s
 WHERE t.model_version = {model_version} AND t.chunk_id = %(chunk_id)s AND t.content = %(content)s

-- name: free_versions
-- The versions to delete through; see sql/functions/chunks/free_versions.sql.
SELECT f.model_version, f.carries
  FROM pgvec.free_versions(%(collection)s) f

-- name: rows_vanished
-- Chunks that a document no longer has after it was put again. In every version: a chunk of one may not have been
-- carried to the others yet.
SELECT t.chunk_id, t.model_version
  FROM {chunk_table} t
 WHERE pgvec.chunk_table(%(collection)s) IS NOT NULL AND t.document_id = ANY (%(documents)s)
   AND NOT EXISTS (SELECT FROM unnest(%(ids)s::{id_type}[]) kept(chunk_id) WHERE kept.chunk_id = t.chunk_id)
   FOR UPDATE

-- name: rows_of_chunks
SELECT t.chunk_id, t.model_version
  FROM {chunk_table} t
 WHERE pgvec.chunk_table(%(collection)s) IS NOT NULL AND t.chunk_id = ANY (%(ids)s)
   FOR UPDATE

-- name: rows_of_documents
SELECT t.chunk_id, t.model_version
  FROM {chunk_table} t
 WHERE pgvec.chunk_table(%(collection)s) IS NOT NULL AND t.document_id = ANY (%(documents)s)
   FOR UPDATE

-- name: stored_documents
-- The documents with these ids, and those in these folders, whose names end with a slash; an empty one is the root.
-- From a file: pgvec add made every chunk of it.
SELECT t.document_id, count(DISTINCT t.chunk_id) AS chunks,
       bool_and(t.metadata ->> 'source' IS NOT DISTINCT FROM t.document_id) AS from_file
  FROM {chunk_table} t
 WHERE pgvec.chunk_table(%(collection)s) IS NOT NULL
   AND (t.document_id = ANY (%(documents)s)
        OR EXISTS (SELECT FROM unnest(%(folders)s::text[]) f(folder) WHERE starts_with(t.document_id, f.folder)))
 GROUP BY t.document_id
 ORDER BY t.document_id COLLATE "C"

-- name: set_document_root
SELECT pgvec.set_document_root(%(collection)s, %(document_root)s, %(expected)s)

-- name: delete_rows
DELETE FROM {chunk_table} t
 WHERE t.model_version = ANY (%(versions)s) AND t.chunk_id = ANY (%(ids)s)

-- name: same_vector
-- The store embedded both texts itself, so an equal vector is not a stale one.
SELECT set_config('pgvec.same_vector', %(value)s, true) AS same_vector

-- name: news
-- Rows that are inserted now are new, not copies of the active version's, even where the text is the same.
SELECT set_config('pgvec.news', %(value)s, true) AS news

-- name: nearest
SELECT n.chunk_id, n.document_id, n.content, n.metadata, n.model_version, n.distance
  FROM pgvec.nearest(%(collection)s, %(query)s, %(model_version)s, %(k)s, %(filter)s::jsonb,
                     %(ef_search)s::integer, %(exact)s, %(expect_active)s, %(conditions)s::jsonb) n

-- name: let_others_go
SELECT pg_catalog.pg_sleep(%(seconds)s) AS let_others_go
