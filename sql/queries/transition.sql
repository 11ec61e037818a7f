-- name: create_collection
SELECT pgvec.create_collection(%(collection)s, %(distance)s, %(storage)s, %(id_type)s, %(retire_after)s,
                               %(require_query_version)s, %(follow_while_draining)s)

-- name: drop_collection
SELECT pgvec.drop_collection(%(collection)s)

-- name: as_interval
SELECT %(value)s::interval AS as_interval

-- name: set_retire_after
UPDATE pgvec.collection c
   SET retire_after = %(retire_after)s
 WHERE c.collection = %(collection)s AND c.retire_after <> %(retire_after)s

-- name: register_version
SELECT pgvec.register_version(%(collection)s, %(model_version)s, %(dimensions)s, %(embedder)s,
                              %(m)s, %(ef_construction)s)

-- name: plan_backfill
SELECT pgvec.plan_backfill(%(collection)s, %(model_version)s, %(chunks_per_item)s) AS open_items

-- name: count_missing
SELECT count(*) AS missing
  FROM pgvec.missing_chunks(%(collection)s, %(model_version)s)

-- name: estimate_size
SELECT e.chunks, e.leaf_bytes, e.index_bytes, e.graph_bytes
  FROM pgvec.estimate_size(%(collection)s, %(dimensions)s, %(m)s) e

-- name: count_chunks
SELECT count(*) AS chunks FROM {leaf}

-- name: sample_texts
-- Texts from all over a leaf.
SELECT s.content
  FROM (SELECT t.content, random() AS place
          FROM {leaf} t TABLESAMPLE SYSTEM (%(percent)s)
         ORDER BY place LIMIT %(count)s) s

-- name: last_index_build
-- How long the last build of an index took that was large enough to tell.
SELECT (e.detail ->> 'seconds')::float8 AS seconds, (e.detail ->> 'bytes')::bigint AS bytes
  FROM pgvec.version_event e
 WHERE e.collection = %(collection)s AND e.verb = 'build_index' AND (e.detail ->> 'bytes')::bigint >= %(least)s
 ORDER BY e.event_id DESC LIMIT 1

-- name: build_index
SELECT pgvec.build_index(%(collection)s, %(model_version)s, %(memory)s, %(workers)s) AS built

-- name: index_statements
SELECT s.statement FROM pgvec.index_statements(%(collection)s, %(model_version)s) WITH ORDINALITY s (statement, place)
 ORDER BY s.place

-- name: index_state
SELECT pgvec.index_state(v.leaf) AS index_state FROM pgvec.get_version(%(collection)s, %(model_version)s) v

-- name: drop_broken_index
SELECT format('DROP INDEX CONCURRENTLY IF EXISTS pgvec_leaves.%%I', v.leaf || '_hnsw') AS statement
  FROM pgvec.get_version(%(collection)s, %(model_version)s) v WHERE pgvec.index_state(v.leaf) = 'invalid'

-- name: parallel_is_safe
SELECT pgvec.parallel_is_safe() AS parallel_is_safe

-- name: old_snapshots
-- The transactions in this database that hold a snapshot; a concurrent build waits for them at its end.
SELECT a.pid, a.xact_start
  FROM pg_catalog.pg_stat_activity a
 WHERE a.datname = current_database() AND a.backend_xmin IS NOT NULL AND a.pid <> pg_backend_pid()
   AND a.backend_type = 'client backend'

-- name: build_waits_for
-- Whom a concurrent build waits for; no row while it waits for nobody.
SELECT pgvec.name_sessions(ARRAY[p.current_locker_pid::integer]) AS who
  FROM pg_catalog.pg_stat_progress_create_index p
 WHERE p.pid = %(pid)s AND p.phase LIKE 'waiting%%' AND p.current_locker_pid <> 0

-- name: cancel_build
SELECT pg_cancel_backend(%(pid)s) AS cancelled

-- name: make_ready
SELECT pgvec.make_ready(%(collection)s, %(model_version)s) AS state

-- name: lock_chunk_table
SELECT pgvec.lock_chunk_table(%(collection)s)

-- name: lock_timeout
SELECT set_config('lock_timeout', %(value)s, true) AS lock_timeout

-- name: cut_over
SELECT pgvec.cut_over(%(collection)s, %(model_version)s, %(lock_timeout)s, %(attempts)s,
                      %(force)s, %(reason)s) AS was_active

-- name: roll_back
SELECT pgvec.roll_back(%(collection)s, %(model_version)s, %(lock_timeout)s, %(attempts)s,
                       %(allow_missing)s) AS now_active

-- name: roll_back_target
-- Which version a roll-back without a label goes back to, and whether that undoes an earlier roll-back.
SELECT p.label, pgvec.undoes_roll_back(%(collection)s, p.label) AS undoes
  FROM pgvec.previous_version(%(collection)s) p (label)

-- name: abandon
SELECT pgvec.abandon(%(collection)s, %(model_version)s)

-- name: leaf_is_gone
SELECT v.dropped_at IS NOT NULL AS leaf_is_gone FROM pgvec.get_version(%(collection)s, %(model_version)s) v

-- name: server
SELECT current_setting('server_version') AS server_version,
       current_setting('server_version_num')::integer AS server_version_num,
       (SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'vector') AS vector_version,
       pg_is_in_recovery() AS in_recovery, current_database() AS database,
       pg_size_bytes(current_setting('maintenance_work_mem')) AS maintenance_work_mem
