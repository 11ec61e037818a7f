-- name: fingerprints
SELECT f.model_version, f.fingerprint_id, f.agrees, k.canary, k.kind, k.content, k.checked, k.embedding
  FROM pgvec.fingerprint f
  JOIN pgvec.canary k USING (collection, model_version)
 WHERE f.collection = %(collection)s AND f.model_version = ANY (%(labels)s) AND (k.checked OR %(every)s)
 ORDER BY f.model_version, k.kind, k.canary

-- name: store_fingerprint
SELECT pgvec.store_fingerprint(%(collection)s, %(model_version)s, %(canaries)s)

-- name: takes_fingerprint
SELECT pgvec.fingerprint_refusal(%(collection)s, %(model_version)s) IS NULL AS takes_fingerprint

-- name: record_fingerprint
SELECT pgvec.record_fingerprint(%(collection)s, %(model_version)s, %(embedder)s, %(agrees)s, %(least_cosine)s,
                                %(detail)s)

-- name: declare_equivalent
SELECT pgvec.declare_equivalent(%(collection)s, %(model_version)s, %(embedder)s, %(reason)s)

-- name: standing_fingerprints
-- The current verdict on each version that has a leaf.
SELECT f.model_version, f.agrees, f.least_cosine, f.recorded_at
  FROM pgvec.fingerprint f
  JOIN pgvec.model_version v USING (collection, model_version)
 WHERE f.collection = %(collection)s AND v.dropped_at IS NULL
 ORDER BY v.registered_at
