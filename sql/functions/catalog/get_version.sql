-- Returns the catalog row of a version.
-- Raises: PV001 (no such collection), PV002 (no such label).
-- Why row_security = on: see pgvec.get_collection.
CREATE OR REPLACE FUNCTION pgvec.get_version(collection text, model_version text)
RETURNS pgvec.model_version LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on AS $$
DECLARE
    found_row pgvec.model_version;
    labels jsonb;
    described text;
BEGIN
    SELECT v.* INTO found_row FROM pgvec.model_version v
     WHERE v.collection = get_version.collection AND v.model_version = get_version.model_version;
    IF NOT FOUND THEN
        PERFORM pgvec.get_collection(collection);
        SELECT coalesce(jsonb_agg(v.model_version ORDER BY v.registered_at), '[]'),
               string_agg(format('%s (%s)', v.model_version, v.state), ', ' ORDER BY v.registered_at)
          INTO labels, described
          FROM pgvec.model_version v WHERE v.collection = get_version.collection;
        PERFORM pgvec.raise_error('PV002',
            format('collection %s has no version %s.', collection,
                   coalesce(quote_literal(model_version), 'without a label')),
            jsonb_build_object('collection', collection, 'model_version', model_version, 'versions', labels),
            coalesce('It has: ' || described || '.', 'It has none yet: SELECT pgvec.register_version(…).'));
    END IF;
    RETURN found_row;
END
$$;
