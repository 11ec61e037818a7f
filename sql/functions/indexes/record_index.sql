-- After a build: analyzes the leaf, and records the build as an event.
-- Arguments:
--   began  when the build began
-- Raises: PV001 (no such collection), PV002 (no such version), PV006 (there is no valid index).
CREATE OR REPLACE FUNCTION pgvec.record_index(collection text, model_version text, began timestamptz)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    found CONSTANT text := pgvec.index_state(v.leaf);
BEGIN
    IF found <> 'valid' THEN
        PERFORM pgvec.raise_error('PV006', format('the index of %s in %s is %s.', v.model_version, v.collection, found),
            jsonb_build_object('collection', collection, 'model_version', model_version,
                               'problems', jsonb_build_object('index', found)),
            format('SELECT pgvec.build_index(%L, %L);', collection, model_version));
    END IF;
    EXECUTE format('ANALYZE pgvec_leaves.%I', v.leaf);
    PERFORM pgvec.log_event(collection, model_version, 'build_index', v.state, v.state,
        jsonb_build_object('seconds', round(extract(epoch FROM clock_timestamp() - began), 3), 'bytes',
                           pg_relation_size(format('pgvec_leaves.%I', v.leaf || '_hnsw')::regclass)));
END
$$;
