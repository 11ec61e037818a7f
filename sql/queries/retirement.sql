-- The job that retires versions: run it, watch it, schedule it. Then holds, settings and archives.

-- name: retire_due
CALL pgvec.retire_due(ignore_readers => %(ignore_readers)s)

-- name: last_run_id
SELECT coalesce(max(r.run_id), 0) AS run_id FROM pgvec.retirement_run r

-- name: own_run
-- The run of the CALL just before. Behind a pooler, the CALL may have run on another backend than this query.
SELECT r.run_id, r.outcome, r.did, r.refused, r.pruned
  FROM pgvec.retirement_run r
 WHERE r.run_id > %(before)s
 ORDER BY r.pid = pg_backend_pid() DESC, r.run_id DESC LIMIT 1

-- name: retirement_plan
SELECT p.collection, p.model_version, p.state, p.retire_at, p.bytes, p.on_retire, p.outcome, p.detail
  FROM pgvec.retirement_plan(%(within)s, %(ignore_readers)s) p

-- name: retirement_watch
SELECT pgvec.retirement_watch() AS watch

-- name: set_retirement
SELECT pgvec.set_retirement(%(collection)s, %(on_retire)s, %(read_window)s)

-- name: retirement_setting
SELECT s.on_retire, s.read_window FROM pgvec.retirement_settings(%(collection)s) s

-- name: hold_version
SELECT pgvec.hold_version(%(collection)s, %(model_version)s, %(reason)s)

-- name: hold_of
SELECT h.reason, h.held_by, h.held_at
  FROM pgvec.retirement_hold h
 WHERE h.collection = %(collection)s AND h.model_version = %(model_version)s

-- name: release_version
SELECT pgvec.release_version(%(collection)s, %(model_version)s) AS released

-- name: schedule_retirement
SELECT pgvec.schedule_retirement(%(schedule)s) AS answer

-- name: check_schedule
-- Raises what pgvec.schedule_retirement raises for its schedule.
SELECT pgvec.raise_error(r.code, r.message, r.detail, r.hint) FROM pgvec.refuse_schedule(%(schedule)s) r

-- name: schedule_advice
SELECT pgvec.schedule_advice(%(schedule)s) AS advice

-- name: replaced_job
SELECT pgvec.replaced_job(%(before)s, %(job)s, %(schedule)s) AS sentence

-- name: job_here
SELECT pgvec.retirement_job() AS job

-- name: unschedule_retirement
SELECT pgvec.unschedule_retirement() AS unscheduled

-- name: retirement_job
-- The pg_cron job in this database, where pg_cron runs in this database.
SELECT j.jobid, j.schedule, j.active, j.username
  FROM {cron}.job j
 WHERE j.jobname = 'pgvec-retire' AND j.database = current_database()

-- name: cron_schema
-- The same as pgvec.cron_schema(), for a database without the catalog: the schema of pg_cron's tables, or no row.
SELECT n.nspname AS cron_schema
  FROM pg_catalog.pg_extension e
  JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.refobjid = e.oid
   AND d.deptype = 'e' AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
  JOIN pg_catalog.pg_class c ON c.oid = d.objid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE e.extname = 'pg_cron' AND c.relname IN ('job', 'job_run_details') AND c.relkind = 'r'
 GROUP BY n.nspname
HAVING pg_catalog.count(*) = 2

-- name: cron_database
-- The database of this server that pg_cron runs in; NULL without pg_cron, and for a role that cannot read the setting.
SELECT (SELECT s.setting FROM pg_catalog.pg_settings s WHERE s.name = 'cron.database_name') AS cron_database,
       current_database() AS here

-- name: schedule_elsewhere
-- Runs in pg_cron's database, for another one. The second job deletes what the first leaves in job_run_details.
SELECT {cron}.schedule_in_database('pgvec-retire ' || %(database)s::text, %(schedule)s::text,
                                   'CALL pgvec.retire_due()'::text, %(database)s::text) AS job,
       {cron}.schedule('pgvec-prune ' || %(database)s::text, '23 3 * * *'::text, format(
           'DELETE FROM %%s WHERE database = %%L AND command = %%L AND end_time < now() - interval %%L',
           %(runs)s::text, %(database)s::text, 'CALL pgvec.retire_due()', '7 days')) AS prune_job

-- name: activate_job
SELECT {cron}.alter_job(%(jobid)s, active => true)

-- name: unschedule_elsewhere
SELECT count({cron}.unschedule(j.jobid)) AS jobs
  FROM {cron}.job j
 WHERE j.jobname IN ('pgvec-retire ' || %(database)s, 'pgvec-prune ' || %(database)s)

-- name: job_elsewhere
SELECT j.jobid, j.schedule, j.active, j.username, last_run.status AS last_status,
       last_run.return_message AS last_message, last_run.start_time AS last_at
  FROM {cron}.job j
  LEFT JOIN LATERAL (SELECT d.status, d.return_message, d.start_time
                       FROM {cron}.job_run_details d
                      WHERE d.jobid = j.jobid AND d.status IN ('succeeded', 'failed')
                      ORDER BY d.runid DESC LIMIT 1) last_run ON true
 WHERE j.jobname = 'pgvec-retire ' || %(database)s AND j.database = %(database)s

-- name: may_retire
SELECT pgvec.may_retire(%(username)s) AS may_retire

-- name: archive_home
-- The table that holds a version's rows, and its columns with their types, except generated ones.
SELECT n.nspname, t.relname, v.dimensions, v.embedder, c.storage, c.distance, v.state,
       array_agg(a.attname::text ORDER BY a.attnum) AS columns,
       array_agg(format_type(a.atttypid, NULL) ORDER BY a.attnum) AS types
  FROM (SELECT pgvec.archive_relation(%(collection)s, %(model_version)s)::regclass::oid AS relation) h
  JOIN pg_catalog.pg_class t ON t.oid = h.relation
  JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
  JOIN pg_catalog.pg_attribute a
    ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
  JOIN pgvec.model_version v ON v.collection = %(collection)s AND v.model_version = %(model_version)s
  JOIN pgvec.collection c ON c.collection = v.collection
 GROUP BY n.nspname, t.relname, v.dimensions, v.embedder, c.storage, c.distance, v.state

-- name: every_row
-- PostgreSQL refuses an export from which row-level security would hide rows.
SET LOCAL row_security = off

-- name: copy_out
COPY {relation} ({columns}) TO STDOUT (FORMAT binary)

-- name: read_out
SELECT {fields} FROM {relation}

-- name: copy_in_binary
COPY {relation} ({columns}) FROM STDIN (FORMAT binary)

-- name: copy_in_text
COPY {relation} ({columns}) FROM STDIN

-- name: record_export
SELECT pgvec.record_export(%(collection)s, %(model_version)s, %(location)s, %(format)s, %(chunks)s, %(bytes)s,
                           %(sha256)s, %(columns)s)

-- name: exported_file
SELECT a.location, a.format, a.chunks, a.bytes, a.sha256, a.columns
  FROM pgvec.archive a
 WHERE a.collection = %(collection)s AND a.model_version = %(model_version)s AND a.kind = 'file'

-- name: open_archive
SELECT pgvec.open_archive(%(collection)s, %(model_version)s) AS relation

-- name: restore_version
SELECT pgvec.restore_version(%(collection)s, %(model_version)s) AS retire_at

-- name: rebuild_index
SELECT pgvec.build_index(%(collection)s, %(model_version)s) AS built
