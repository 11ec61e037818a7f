-- name: claim_work
SELECT i.item_id, i.source_version, i.model_version, i.lo, i.hi, i.revision, i.attempts, i.lease_id
  FROM pgvec.claim_work(%(collection)s, %(versions)s, %(max_items)s, %(lease)s, %(holder)s) i

-- name: this_session
-- The start as text: to the microsecond, as the server compares it.
SELECT a.pid, to_jsonb(a.backend_start) #>> '{}' AS since
  FROM pg_catalog.pg_stat_get_activity(pg_backend_pid()) a

-- name: stay
SELECT set_config('idle_session_timeout', '0', false) AS idle_timeout

-- name: take_over_work
SELECT pgvec.take_over_work(%(collection)s, %(model_version)s, %(alive_too)s) AS items

-- name: claim_holders
SELECT h.items, h.pid, h.application, host(h.address) AS address, h.state, h.expires, h.seconds
  FROM pgvec.claim_holders(%(collection)s, %(model_version)s) h

-- name: read_work
SELECT r.item_ids, r.chunk_id, r.content, r.content_hash
  FROM pgvec.read_work(%(collection)s, %(source)s, %(target)s, %(items)s, %(lease)s) r

-- name: made_table
CREATE TEMPORARY TABLE pgvec_made (item_ids bigint[], chunk_id {id_type}, content_hash bytea,
                                   embedding {vector_type}) ON COMMIT DROP

-- name: copy_made
COPY pg_temp.pgvec_made (item_ids, chunk_id, content_hash, embedding) FROM STDIN (FORMAT binary)

-- name: complete_work
SELECT c.completed, c.fenced, c.written, c.deleted
  FROM pgvec.complete_work(%(collection)s, %(source)s, %(target)s, %(items)s, %(revisions)s, %(lease)s) c

-- name: renew_work
SELECT pgvec.renew_work(%(lease)s, %(prolong)s) AS items

-- name: release_work
SELECT pgvec.release_work(%(lease)s) AS items

-- name: postpone_work
SELECT pgvec.postpone_work(%(lease)s, %(error)s, %(retry_in)s) AS items

-- name: fail_work
SELECT f.retried, f.halves, f.set_aside
  FROM pgvec.fail_work(%(lease)s, %(error)s, %(max_attempts)s, %(retry_in)s, %(split)s) f

-- name: retry_set_aside
SELECT pgvec.retry_set_aside(%(collection)s, %(model_version)s) AS items

-- name: newest_item
SELECT n.newest_item
  FROM pgvec.queue_counts(%(collection)s, %(versions)s) n

-- name: held_work
-- Items up to the given one that another worker holds or that wait for a retry: how many, and how long until the next
-- can be claimed.
SELECT n.held, 0 AS set_aside, n.held_for
  FROM pgvec.queue_counts(%(collection)s, %(versions)s, %(newest)s) n

-- name: open_work
-- How many items are open for the named versions, and how long until the next can be claimed.
SELECT n.open, n.set_aside, n.next_in
  FROM pgvec.queue_counts(%(collection)s, %(versions)s) n

-- name: vector_schema
SELECT pgvec.vector_schema() AS vector_schema
