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
