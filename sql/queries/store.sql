-- name: stored_chunks
-- The chunks of one version among the given ids, without their vectors. Overtaken: another version holds a later text
-- that has not been carried yet.
SELECT t.chunk_id, t.document_id, t.position, t.content, t.metadata,
       EXISTS (SELECT FROM {chunk_table} o WHERE o.chunk_id = t.chunk_id AND o.model_version <> {model_version}
                  AND o.content <> t.content AND (o.written_at, o.content) > (t.written_at, t.content)) AS overtaken
  FROM {chunk_table} t
 WHERE t.model_version = {model_version} AND t.chunk_id = ANY (%(ids)s)

-- name: known_vectors
-- Vectors of texts that the same documents hold already, for texts that only moved.
SELECT DISTINCT ON (t.content) t.content, t.embedding
  FROM {chunk_table} t
 WHERE t.model_version = {model_version} AND t.document_id = ANY (%(documents)s) AND t.content = ANY (%(texts)s)

-- name: copy_chunks
COPY {chunk_table} (chunk_id, model_version, document_id, position, content, metadata, embedding) FROM STDIN (FORMAT binary)

-- name: replace_chunk
UPDATE {chunk_table} t
   SET document_id = %(document_id)s, position = %(position)s, content = %(content)s, metadata = %(metadata)s, embedding = %(embedding)s
 WHERE t.model_version = {model_version} AND t.chunk_id = %(chunk_id)s

-- name: touch_chunk
UPDATE {chunk_table} t
   SET document_id = %(document_id)s, position = %(position)s, metadata = %(metadata)s
 WHERE t.model_version = {model_version} AND t.chunk_id = %(chunk_id)s AND t.content = %(content)s

-- name: delete_vanished
-- Chunks of documents that were put again, which the new text no longer has: through every version, because one of
-- them may hold a chunk that has not been carried yet.
WITH gone AS (DELETE FROM {chunk_table} t WHERE t.document_id = ANY (%(documents)s)
                 AND NOT EXISTS (SELECT FROM unnest(%(ids)s) kept(chunk_id) WHERE kept.chunk_id = t.chunk_id) RETURNING t.chunk_id)
SELECT count(DISTINCT g.chunk_id) FROM gone g

-- name: delete_chunks
-- Through every version at once: a chunk that only one version holds goes too.
WITH gone AS (DELETE FROM {chunk_table} t WHERE t.chunk_id = ANY (%(ids)s) RETURNING t.chunk_id)
SELECT count(DISTINCT g.chunk_id) FROM gone g

-- name: delete_documents
WITH gone AS (DELETE FROM {chunk_table} t WHERE t.document_id = ANY (%(documents)s) RETURNING t.chunk_id)
SELECT count(DISTINCT g.chunk_id) FROM gone g

-- name: same_vector
-- The store has embedded both texts itself: an equal vector is then no stale one.
SELECT set_config('pgvec.same_vector', %(value)s, true)

-- name: nearest
SELECT n.chunk_id, n.document_id, n.content, n.metadata, n.model_version, n.distance
  FROM pgvec.nearest(%(collection)s, %(query)s, %(model_version)s, %(k)s, %(filter)s::jsonb, %(ef_search)s::integer, %(exact)s, %(expect_active)s, %(conditions)s::jsonb) n
