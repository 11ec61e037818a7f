-- name: claim_work
SELECT item_id, source_version, model_version, lo, hi, revision, attempts, lease_id
  FROM pgvec.claim_work(%(collection)s, %(versions)s, %(max_items)s, %(lease)s)

-- name: read_work
SELECT item_ids, chunk_id, content, content_hash
  FROM pgvec.read_work(%(collection)s, %(source)s, %(target)s, %(items)s, %(lease)s)

-- name: made_table
CREATE TEMPORARY TABLE pgvec_made (item_ids bigint[], chunk_id {id_type}, content_hash bytea, embedding {vector_type}) ON COMMIT DROP

-- name: copy_made
COPY pg_temp.pgvec_made (item_ids, chunk_id, content_hash, embedding) FROM STDIN (FORMAT binary)

-- name: complete_work
SELECT completed, fenced, written, deleted
  FROM pgvec.complete_work(%(collection)s, %(source)s, %(target)s, %(items)s, %(revisions)s, %(lease)s)

-- name: renew_work
SELECT pgvec.renew_work(%(lease)s, %(prolong)s) AS items

-- name: release_work
SELECT pgvec.release_work(%(lease)s) AS items

-- name: postpone_work
SELECT pgvec.postpone_work(%(lease)s, %(error)s, %(retry_in)s) AS items

-- name: fail_work
SELECT retried, halves, set_aside FROM pgvec.fail_work(%(lease)s, %(error)s, %(max_attempts)s, %(retry_in)s, %(split)s)

-- name: retry_set_aside
SELECT pgvec.retry_set_aside(%(collection)s, %(model_version)s) AS items

-- name: newest_item
SELECT n.newest_item FROM pgvec.queue_counts(%(collection)s, %(versions)s) n

-- name: held_work
-- Items up to the given one that another worker holds or that rest after a failure, and how long until the next can be claimed.
SELECT n.held, 0 AS set_aside, n.held_for FROM pgvec.queue_counts(%(collection)s, %(versions)s, %(newest)s) n

-- name: open_work
-- What is open for the named versions, and how long until the next can be claimed.
SELECT n.open, n.set_aside, n.next_in FROM pgvec.queue_counts(%(collection)s, %(versions)s) n

-- name: vector_schema
SELECT pgvec.vector_schema() AS vector_schema
