-- Checks the canaries that you give to store_fingerprint: an array of objects, each with the texts canary, kind and
-- content, a boolean checked or none, and an array of numbers; no canary twice for one kind.
-- Raises: PV007 (something else).
CREATE OR REPLACE FUNCTION pgvec.check_canaries(canaries jsonb)
RETURNS void LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wrong text;
BEGIN
    IF canaries IS NULL OR jsonb_typeof(canaries) <> 'array' OR jsonb_array_length(canaries) = 0 THEN
        PERFORM pgvec.raise_error('PV007', 'canaries must be a JSON array that is not empty.',
            jsonb_build_object('canaries', jsonb_typeof(canaries)));
    END IF;
    SELECT CASE
               WHEN jsonb_typeof(e) <> 'object' THEN 'is not an object'
               WHEN jsonb_typeof(e -> 'canary') IS DISTINCT FROM 'string'
                    OR jsonb_typeof(e -> 'content') IS DISTINCT FROM 'string' THEN 'has no canary or no content'
               WHEN e ->> 'kind' IS NULL OR e ->> 'kind' NOT IN ('document', 'query')
                    THEN 'is neither document nor query'
               WHEN jsonb_typeof(e -> 'checked') NOT IN ('boolean', 'null')
                    THEN 'has a checked that is not true or false'
               WHEN jsonb_typeof(e -> 'embedding') IS DISTINCT FROM 'array' THEN 'has no embedding'
               WHEN NOT pgvec.is_vector(e -> 'embedding')
                    THEN 'has an embedding with an element that no vector can hold'
           END INTO wrong
      FROM jsonb_array_elements(canaries) e
     ORDER BY 1 NULLS LAST LIMIT 1;
    IF wrong IS NULL AND (SELECT count(*) <> count(DISTINCT (e ->> 'canary', e ->> 'kind'))
                            FROM jsonb_array_elements(canaries) e) THEN
        wrong := 'comes twice';
    END IF;
    IF wrong IS NOT NULL THEN
        PERFORM pgvec.raise_error('PV007', format('a canary %s.', wrong), jsonb_build_object('wrong', wrong),
            '[{"canary", "kind": "document" or "query", "content", "checked", "embedding": […]}, …]');
    END IF;
END
$$;
