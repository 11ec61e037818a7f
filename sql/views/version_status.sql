-- Shows a row for each version: what is active, what is being built and how far, what retires when.
-- share_complete is 1 when no chunk is missing or stale against the active version. fingerprint is the last verdict on
-- an embedder of the version: 'agrees', 'differs', or 'none' when it has no canaries.
CREATE OR REPLACE VIEW pgvec.version_status WITH (security_invoker = true) AS
SELECT v.collection, v.model_version, v.state, v.dimensions, s.chunks, s.missing,
       CASE WHEN s.chunks + s.missing = 0 THEN 1.0
            ELSE round(1.0 - s.missing::numeric / greatest(s.chunks + s.missing, 1), 4) END AS share_complete,
       s.index_state = 'valid' AS index_valid, s.index_bytes, s.table_bytes,
       w.items_open, w.items_set_aside, w.last_error,
       v.registered_at, v.activated_at, v.retire_at, v.retired_at, v.follows, v.pinned_view, v.leaf, v.embedder,
       v.paused_at,
       CASE f.agrees WHEN true THEN 'agrees' WHEN false THEN 'differs' ELSE 'none' END AS fingerprint
  FROM pgvec.model_version v
  LEFT JOIN pgvec.fingerprint f USING (collection, model_version)
  CROSS JOIN LATERAL pgvec.leaf_status(v.collection, v.model_version) s
  CROSS JOIN LATERAL (
      SELECT count(*) FILTER (WHERE i.set_aside_at IS NULL) AS items_open,
             count(*) FILTER (WHERE i.set_aside_at IS NOT NULL) AS items_set_aside,
             (array_agg(i.last_error ORDER BY i.set_aside_at DESC NULLS LAST)
                  FILTER (WHERE i.last_error IS NOT NULL))[1] AS last_error
        FROM pgvec.work_item i WHERE i.collection = v.collection AND i.model_version = v.model_version) w
 ORDER BY v.collection, v.registered_at;
