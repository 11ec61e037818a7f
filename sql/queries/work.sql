-- name: claim_work
SELECT * FROM pgvec.claim_work(%(collection)s, %(versions)s, %(max_items)s, %(lease)s)

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
SELECT pgvec.renew_work(%(lease)s, %(prolong)s)

-- name: release_work
SELECT pgvec.release_work(%(lease)s)

-- name: postpone_work
-- Gives claimed items back untried, to be taken again after a rest: the embedder is away, no text is to blame.
UPDATE pgvec.work_item w
   SET lease = NULL, leased_until = clock_timestamp() + %(retry_in)s, attempts = greatest(w.attempts - 1, 0), last_error = left(%(error)s, 2000)
 WHERE w.lease = %(lease)s

-- name: fail_work
SELECT retried, halves, set_aside FROM pgvec.fail_work(%(lease)s, %(error)s, %(max_attempts)s, %(retry_in)s, %(split)s)

-- name: retry_set_aside
SELECT pgvec.retry_set_aside(%(collection)s, %(model_version)s)

-- name: newest_item
SELECT coalesce(max(w.item_id), 0) FROM pgvec.work_item w WHERE w.collection = %(collection)s AND w.model_version = ANY (%(versions)s)

-- name: held_work
-- Items up to the given one that another worker holds or that rest after a failure, and how long until the next can be claimed.
SELECT count(*) AS held, 0 AS set_aside, greatest(extract(epoch FROM min(w.leased_until) - clock_timestamp()), 0)::float8 AS next_in
  FROM pgvec.work_item w
 WHERE w.collection = %(collection)s AND w.model_version = ANY (%(versions)s) AND w.item_id <= %(newest)s
   AND w.set_aside_at IS NULL AND w.leased_until > clock_timestamp()

-- name: open_work
-- What is open for the named versions, and how long until the next can be claimed.
SELECT count(*) FILTER (WHERE w.set_aside_at IS NULL) AS open, count(*) FILTER (WHERE w.set_aside_at IS NOT NULL) AS set_aside,
       greatest(extract(epoch FROM min(coalesce(w.leased_until, clock_timestamp())) FILTER (WHERE w.set_aside_at IS NULL) - clock_timestamp()), 0)::float8 AS next_in
  FROM pgvec.work_item w
 WHERE w.collection = %(collection)s AND w.model_version = ANY (%(versions)s)

-- name: vector_schema
SELECT pgvec.vector_schema()
