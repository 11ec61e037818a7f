-- name: adoption
SELECT a.model_version, a.source::oid AS source, a.old_view::oid AS old_view, a.columns, a.adopted_at,
       format('%%I.%%I', a.host_schema, a.table_name) AS whole_name
  FROM pgvec.adoption a
 WHERE a.collection = %(collection)s

-- name: table_oid
SELECT to_regclass(%(table)s)::oid AS source

-- name: begin_adoption
SELECT pgvec.begin_adoption(%(source)s, %(collection)s, %(model_version)s, %(columns)s, %(distance)s,
                            %(embedder)s, %(m)s, %(ef_construction)s, %(retire_after)s, %(require_query_version)s,
                            %(follow_while_draining)s) AS columns

-- name: adoption_steps
SELECT s.step, s.statement, s.lock, s.held
  FROM pgvec.adoption_steps(%(collection)s) s

-- name: undo_steps
SELECT s.step, s.statement, s.lock, s.held
  FROM pgvec.undo_steps(%(collection)s) s

-- name: finish_steps
SELECT s.step, s.statement, s.lock, s.held
  FROM pgvec.finish_steps(%(collection)s) s
