-- Checks the name of a collection or, with model_version given, a label. Promise: whatever passes
-- fits every name derived from it (leaf, views, index, setting) unshortened. Raises PV003.
CREATE OR REPLACE FUNCTION pgvec.check_name(collection text, model_version text DEFAULT NULL, is_label boolean DEFAULT false)
RETURNS void LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    detail jsonb := jsonb_build_object('collection', collection, 'model_version', model_version);
BEGIN
    IF NOT is_label THEN
        IF collection IS NULL OR collection !~ '^[a-z_][a-z0-9_]{0,39}$' THEN
            PERFORM pgvec.raise_error('PV003', format('%s cannot be the name of a collection.', coalesce(quote_literal(left(collection, 80)), 'NULL')), detail,
                'Use 1 to 40 of a-z, 0-9 and _, not beginning with a digit.');
        END IF;
        RETURN;
    END IF;
    IF model_version IS NULL OR model_version !~ '^[A-Za-z0-9][A-Za-z0-9._-]*$' THEN
        PERFORM pgvec.raise_error('PV003', format('%s cannot be the label of a version.', coalesce(quote_literal(left(model_version, 80)), 'NULL')), detail,
            'Use letters a-z, digits, ".", "_" and "-", beginning with a letter or digit.');
    END IF;
    IF model_version = 'any' THEN
        PERFORM pgvec.raise_error('PV003', 'a version cannot be called any: a session that declares any compares no vectors.', detail, 'Choose a label that says which model it is.');
    END IF;
    IF length(collection) + length(model_version) > 50 THEN
        PERFORM pgvec.raise_error('PV003', format('the label %L is too long: %s characters for collection %s, at most %s.', left(model_version, 80), length(model_version), collection, 50 - length(collection)), detail,
            'Collection and label share one identifier of 63 bytes with what is derived from them.');
    END IF;
END
$$;
