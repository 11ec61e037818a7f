-- name: collection
SELECT c.collection, c.host_schema, c.distance, c.storage, c.id_type, c.retire_after, c.require_query_version,
       c.follow_while_draining, c.document_root
  FROM (SELECT (pgvec.get_collection(%(collection)s)).*) c

-- name: versions
SELECT v.model_version, v.state, v.dimensions, v.embedder, v.leaf, v.pinned_view, v.follows, v.m, v.retire_at,
       v.equivalents
  FROM pgvec.model_version v
 WHERE v.collection = %(collection)s
 ORDER BY v.activated_at DESC NULLS LAST, v.registered_at

-- name: status
SELECT s.*
  FROM pgvec.version_status s
 WHERE %(collection)s::text IS NULL OR s.collection = %(collection)s

-- name: collections
SELECT c.collection FROM pgvec.collection c ORDER BY c.collection

-- name: events
SELECT e.at, e.who, e.collection, e.model_version, e.verb, e.from_state, e.to_state, e.detail
  FROM pgvec.version_event e
 WHERE e.collection = %(collection)s
 ORDER BY e.event_id

-- name: active_version
SELECT pgvec.active_version(%(collection)s) AS active_version
