-- name: create_collection
SELECT pgvec.create_collection(%(collection)s, %(distance)s, %(storage)s, %(id_type)s, %(retire_after)s, %(require_query_version)s, %(follow_while_draining)s)

-- name: drop_collection
SELECT pgvec.drop_collection(%(collection)s)

-- name: set_retire_after
UPDATE pgvec.collection c SET retire_after = %(retire_after)s WHERE c.collection = %(collection)s AND c.retire_after <> %(retire_after)s

-- name: register_version
SELECT pgvec.register_version(%(collection)s, %(model_version)s, %(dimensions)s, %(embedder)s, %(m)s, %(ef_construction)s)

-- name: plan_backfill
SELECT pgvec.plan_backfill(%(collection)s, %(model_version)s, %(chunks_per_item)s)

-- name: count_missing
SELECT count(*) FROM pgvec.missing_chunks(%(collection)s, %(model_version)s)

-- name: count_chunks
SELECT count(*) FROM {leaf}

-- name: build_index
SELECT pgvec.build_index(%(collection)s, %(model_version)s, %(memory)s, %(workers)s)

-- name: make_ready
SELECT pgvec.make_ready(%(collection)s, %(model_version)s)

-- name: lock_chunk_table
SELECT pgvec.lock_chunk_table(%(collection)s)

-- name: lock_timeout
SELECT set_config('lock_timeout', %(value)s, true)

-- name: cut_over
SELECT pgvec.cut_over(%(collection)s, %(model_version)s, %(lock_timeout)s, %(attempts)s, %(force)s, %(reason)s)

-- name: roll_back
SELECT pgvec.roll_back(%(collection)s, %(lock_timeout)s, %(attempts)s, %(allow_missing)s)

-- name: abandon
SELECT pgvec.abandon(%(collection)s, %(model_version)s)

-- name: retire_due
CALL pgvec.retire_due()

-- name: due_versions
SELECT v.collection, v.model_version, v.state, v.retire_at, pg_total_relation_size(to_regclass('pgvec_leaves.' || quote_ident(v.leaf))) AS bytes
  FROM pgvec.model_version v
 WHERE v.state IN ('draining', 'abandoned') AND v.dropped_at IS NULL AND v.retire_at <= clock_timestamp()
 ORDER BY v.retire_at

-- name: last_refusal
SELECT e.detail ->> 'reason' FROM pgvec.version_event e
 WHERE e.collection = %(collection)s AND e.model_version = %(model_version)s AND e.verb = 'retire_refused' ORDER BY e.event_id DESC LIMIT 1

-- name: schedule_retirement
SELECT pgvec.schedule_retirement(%(schedule)s)

-- name: unschedule_retirement
SELECT pgvec.unschedule_retirement()

-- name: retirement_job
-- The pg_cron job in this database, if pg_cron is here.
SELECT j.jobid, j.schedule, j.active, j.username FROM cron.job j WHERE j.jobname = 'pgvec-retire' AND j.database = current_database()

-- name: has_pg_cron
SELECT to_regclass('cron.job') IS NOT NULL

-- name: server
SELECT current_setting('server_version') AS server_version, current_setting('server_version_num')::integer AS server_version_num,
       (SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'vector') AS vector_version,
       pg_is_in_recovery() AS in_recovery, current_database() AS database,
       pg_size_bytes(current_setting('maintenance_work_mem')) AS maintenance_work_mem
