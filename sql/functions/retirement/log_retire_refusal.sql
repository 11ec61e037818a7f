-- Writes to pgvec.version_event why a version was not retired, unless its newest event gives the same reason: a job
-- that runs every minute says each thing once.
CREATE OR REPLACE FUNCTION pgvec.log_retire_refusal(collection text, model_version text, reason text, detail text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last_reason CONSTANT text := (
        SELECT CASE jsonb_typeof(e.detail) WHEN 'object' THEN e.detail ->> 'reason' END
          FROM pgvec.version_event e
         WHERE e.collection = log_retire_refusal.collection AND e.model_version = log_retire_refusal.model_version
         ORDER BY e.event_id DESC LIMIT 1);
BEGIN
    IF last_reason IS DISTINCT FROM reason THEN
        PERFORM pgvec.log_event(collection, model_version, 'retire_refused', NULL, NULL,
            jsonb_strip_nulls(jsonb_build_object('reason', reason, 'detail', detail)));
    END IF;
END
$$;
