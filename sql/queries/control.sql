-- name: pause
SELECT pgvec.pause(%(collection)s, %(model_version)s, %(reason)s) AS paused

-- name: resume
SELECT pgvec.resume(%(collection)s, %(model_version)s) AS resumed

-- name: paused
-- Which of the named versions are paused.
SELECT v.model_version, v.paused_at
  FROM pgvec.model_version v
 WHERE v.collection = %(collection)s AND v.model_version = ANY (%(versions)s) AND v.paused_at IS NOT NULL
 ORDER BY v.model_version

-- name: pause_of
-- The event of the pause that holds.
SELECT v.paused_at, e.who, e.detail ->> 'reason' AS reason
  FROM pgvec.model_version v
  LEFT JOIN LATERAL (SELECT k.who, k.detail FROM pgvec.version_event k
                      WHERE k.collection = v.collection AND k.model_version = v.model_version AND k.verb = 'pause'
                      ORDER BY k.event_id DESC LIMIT 1) e ON true
 WHERE v.collection = %(collection)s AND v.model_version = %(model_version)s AND v.paused_at IS NOT NULL

-- name: preview
SELECT p.kind, p.what, p.detail
  FROM pgvec.preview(%(verb)s, %(collection)s, %(model_version)s, arguments => %(arguments)s) p

-- name: raise_refusal
-- Raises what the verb would raise first; no row when nothing stops it.
SELECT pgvec.raise_error(r.code, r.message, r.detail, r.hint)
  FROM pgvec.refusals(%(verb)s, %(collection)s, %(model_version)s, arguments => %(arguments)s) r
 WHERE r.code IS NOT NULL

-- name: server_load
-- How much WAL the slowest standby has not replayed yet, in bytes, and how many other client sessions are active.
-- What the role cannot see counts as nothing.
SELECT coalesce((SELECT max(pg_wal_lsn_diff(pg_current_wal_lsn(), r.replay_lsn))
                   FROM pg_catalog.pg_stat_replication r), 0)::bigint AS replication_lag,
       (SELECT count(*)
          FROM pg_catalog.pg_stat_activity a
         WHERE a.state = 'active' AND a.backend_type = 'client backend'
           AND a.pid <> pg_backend_pid()) AS active_sessions

-- name: idle_timeout
-- The server ends a transaction whose session is idle for longer, so its locks last no longer than that either.
SELECT set_config('idle_in_transaction_session_timeout', %(value)s, true) AS idle_timeout

-- name: backend_pid
SELECT pg_backend_pid() AS pid

-- name: setting
SELECT current_setting(%(name)s, true) AS setting

-- name: put_setting
SELECT set_config(%(name)s, %(value)s, false) AS setting

-- name: no_time_limits
-- For this transaction: no limit on its time, and one on the time that its session is idle. PostgreSQL 17 and later
-- have transaction_timeout.
SELECT set_config('statement_timeout', '0', true) AS statement_timeout,
       set_config('idle_in_transaction_session_timeout', %(idle)s, true) AS idle_timeout,
       CASE WHEN current_setting('transaction_timeout', true) IS NOT NULL
            THEN set_config('transaction_timeout', '0', true) END AS transaction_timeout

-- name: claims_held
-- How many claims are held for each version. A worker holds up to three at once.
SELECT w.collection, w.model_version, count(DISTINCT w.lease) AS claims
  FROM pgvec.work_item w
 WHERE w.lease IS NOT NULL AND w.leased_until > clock_timestamp()
 GROUP BY w.collection, w.model_version

-- name: workers_alive
-- How many processes of pgvec worker and pgvec upgrade have a session in this database. Their sessions have a name.
SELECT count(DISTINCT a.application_name) AS workers
  FROM pg_catalog.pg_stat_activity a
 WHERE a.datname = current_database() AND a.application_name ~ '^pgvec (worker|upgrade) [0-9]+-'

-- name: index_builds
-- The leaves whose index is being built now, and how much of it is done. The share is NULL for builds of other roles.
SELECT c.relname AS leaf, p.blocks_done::float8 / nullif(p.blocks_total, 0) AS share
  FROM pg_catalog.pg_stat_progress_create_index p
  JOIN pg_catalog.pg_class c ON c.oid = p.relid
 WHERE c.relnamespace = to_regnamespace('pgvec_leaves') AND p.datname = current_database()
