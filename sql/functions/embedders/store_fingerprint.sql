-- Keeps the canaries of a version: texts with the vectors that its embedder made of them, as documents and as queries.
-- Only once, and only while the version holds no chunks.
-- Arguments:
--   canaries  [{"canary", "kind": "document" | "query", "content", "checked", "embedding": […]}, …]
-- Raises: PV001 (no such collection), PV002 (no such version), PV007 (canaries), PV015 (dimensions), PV072 (too late).
CREATE OR REPLACE FUNCTION pgvec.store_fingerprint(collection text, model_version text, canaries jsonb)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    refusal text;
    wrong text;
BEGIN
    -- Of two sessions at once, the second sees what the first has kept.
    PERFORM FROM pgvec.model_version k
      WHERE k.collection = v.collection AND k.model_version = v.model_version FOR UPDATE;
    refusal := pgvec.fingerprint_refusal(collection, model_version);
    IF refusal IS NOT NULL THEN
        PERFORM pgvec.raise_error('PV072',
            format('version %s of %s takes no fingerprint: %s.', model_version, collection,
                   CASE refusal WHEN 'stored' THEN 'it has one' ELSE 'it holds chunks, or held them' END),
            jsonb_build_object('collection', collection, 'model_version', model_version, 'reason', refusal),
            'A fingerprint is kept at registration, before the first chunk; register a new version.');
    END IF;
    PERFORM pgvec.check_canaries(canaries);
    SELECT format('%s %s', e ->> 'kind', e ->> 'canary') INTO wrong
      FROM jsonb_array_elements(canaries) e
     WHERE jsonb_array_length(e -> 'embedding') IS DISTINCT FROM v.dimensions LIMIT 1;
    IF wrong IS NOT NULL THEN
        PERFORM pgvec.raise_error('PV015',
            format('canary %s does not have the %s dimensions of version %s.', wrong, v.dimensions, model_version),
            jsonb_build_object('canary', wrong, 'dimensions', v.dimensions));
    END IF;
    INSERT INTO pgvec.fingerprint (collection, model_version) VALUES (v.collection, v.model_version);
    INSERT INTO pgvec.canary (collection, model_version, canary, kind, content, checked, embedding)
    SELECT v.collection, v.model_version, e ->> 'canary', e ->> 'kind', e ->> 'content',
           coalesce((e ->> 'checked')::boolean, true),
           ARRAY(SELECT x.value::real
                   FROM jsonb_array_elements_text(e -> 'embedding') WITH ORDINALITY x (value, place)
                  ORDER BY x.place)
      FROM jsonb_array_elements(canaries) e;
    PERFORM pgvec.log_event(collection, model_version, 'store_fingerprint', NULL, NULL,
        jsonb_build_object('canaries', jsonb_array_length(canaries)));
END
$$;
