-- name: evaluation_facts
-- The version as it is before anything is measured.
SELECT pgvec.index_mark(v.collection, v.model_version) AS index_mark, s.chunks, s.index_bytes, s.table_bytes, v.m,
       v.ef_construction, v.dimensions
  FROM pgvec.model_version v
 CROSS JOIN LATERAL pgvec.leaf_status(v.collection, v.model_version) s
 WHERE v.collection = %(collection)s AND v.model_version = %(model_version)s

-- name: through_the_index
-- An evaluation measures the index, but on a small leaf the planner prefers to sort.
SELECT set_config('enable_seqscan', 'off', true) AS enable_seqscan,
       set_config('enable_sort', 'off', true) AS enable_sort

-- name: ranking
-- The ids nearest to a query vector, nearest first.
SELECT n.chunk_id, n.document_id, n.distance
  FROM pgvec.nearest(%(collection)s, %(query)s, %(model_version)s,
                     k => %(k)s, ef_search => %(ef_search)s, exact => %(exact)s) n

-- name: sample_chunks
-- The same chunks for the same seed in every version.
SELECT t.chunk_id::text AS chunk_id, t.document_id, t.content, t.embedding
  FROM {leaf} t
 ORDER BY md5(t.chunk_id::text || %(seed)s) LIMIT %(count)s

-- name: chunks_alike
-- For each content, the ids of all chunks that have it.
SELECT t.content, array_agg(t.chunk_id::text) AS chunk_ids
  FROM {leaf} t
 WHERE t.content = ANY (%(contents)s)
 GROUP BY t.content

-- name: known_ids
SELECT t.chunk_id::text AS id FROM {leaf} t WHERE t.chunk_id::text = ANY (%(ids)s)
UNION ALL
SELECT DISTINCT t.document_id AS id FROM {leaf} t WHERE t.document_id = ANY (%(ids)s)

-- name: chunk_texts
SELECT t.chunk_id::text AS chunk_id, t.document_id, left(t.content, %(length)s) AS content
  FROM {leaf} t
 WHERE t.chunk_id::text = ANY (%(ids)s)

-- name: record_evaluation
SELECT pgvec.record_evaluation(%(collection)s, %(model_version)s, %(metrics)s, %(queries)s, %(kind)s,
                               %(baseline_version)s, %(baseline)s, %(detail)s, %(index_mark)s) AS evaluation_id

-- name: evaluations
-- The newest first.
SELECT e.evaluation_id, e.collection, e.model_version, e.baseline_version, e.kind, e.at, e.who, e.queries,
       e.metrics, e.baseline, e.detail, e.chunks, e.index_mark
  FROM pgvec.evaluation e
 WHERE e.collection = %(collection)s
   AND (%(model_version)s::text IS NULL OR e.model_version = %(model_version)s)
   AND e.kind = ANY (%(kinds)s)
 ORDER BY e.evaluation_id DESC LIMIT %(count)s

-- name: set_gate
-- The gate that it replaced, if there was one.
SELECT g.bounds, g.max_age, g.min_queries, g.labelled, g.max_changed, g.set_at, g.set_by
  FROM pgvec.set_gate(%(collection)s, %(bounds)s, %(max_age)s::interval, %(min_queries)s, %(labelled)s,
                      %(max_changed)s) g
 WHERE g.collection IS NOT NULL

-- name: drop_gate
SELECT pgvec.drop_gate(%(collection)s) AS dropped

-- name: check_gate
SELECT pgvec.check_gate(%(collection)s, %(model_version)s) AS verdict

-- name: gate
SELECT g.bounds, g.max_age, g.min_queries, g.labelled, g.max_changed, g.set_at, g.set_by
  FROM pgvec.gate g
 WHERE g.collection = %(collection)s

-- name: timeline
SELECT v.model_version, v.state, v.registered_at, v.ready_at, v.activated_at, v.draining_at, v.retire_at,
       v.retired_at, v.abandoned_at
  FROM pgvec.model_version v
 WHERE v.collection = %(collection)s
 ORDER BY v.registered_at
