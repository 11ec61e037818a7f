-- name: rank_leaf
-- Bypasses the guard on purpose, to show what happens without it. Only the demo does this.
SELECT t.document_id
  FROM {leaf} t
 ORDER BY t.embedding <=> %(query)s LIMIT %(k)s

-- name: rank_view
SELECT v.document_id
  FROM {view} v
 ORDER BY v.embedding <=> %(query)s LIMIT 5

-- name: declare_query_version
SELECT set_config(%(name)s, %(value)s, false) AS query_version

-- name: drop_database
DROP DATABASE IF EXISTS {database} WITH (FORCE)
