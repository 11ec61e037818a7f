-- The catalog row of a version. Raises PV001 for an unknown collection, PV002 for an unknown label.
-- row_security: a caller who insists on seeing every chunk (off) is still shown no more of the catalog than is his.
CREATE OR REPLACE FUNCTION pgvec.get_version(collection text, model_version text)
RETURNS pgvec.model_version LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on AS $$
DECLARE
    found_row pgvec.model_version;
BEGIN
    SELECT v.* INTO found_row FROM pgvec.model_version v
     WHERE v.collection = get_version.collection AND v.model_version = get_version.model_version;
    IF NOT FOUND THEN
        PERFORM pgvec.get_collection(collection);
        PERFORM pgvec.raise_error('PV002', format('collection %s has no version %s.', collection, coalesce(quote_literal(model_version), 'without a label')),
            jsonb_build_object('collection', collection, 'model_version', model_version,
                               'versions', (SELECT coalesce(jsonb_agg(v.model_version ORDER BY v.registered_at), '[]') FROM pgvec.model_version v WHERE v.collection = get_version.collection)),
            coalesce('It has: ' || (SELECT string_agg(v.model_version || ' (' || v.state || ')', ', ' ORDER BY v.registered_at) FROM pgvec.model_version v WHERE v.collection = get_version.collection) || '.',
                     'It has none yet: SELECT pgvec.register_version(…).'));
    END IF;
    RETURN found_row;
END
$$;
