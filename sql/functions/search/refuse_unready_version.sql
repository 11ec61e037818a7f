-- Refuses queries of a version that is neither ready, active nor draining.
-- Raises: PV001, PV002, PV013; 40001 when its pinned view exists already, so that only this snapshot is too old to show
-- the version as ready.
CREATE OR REPLACE FUNCTION pgvec.refuse_unready_version(collection text, query_version text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    host_schema CONSTANT text := (pgvec.get_collection(collection)).host_schema;
    version CONSTANT pgvec.model_version := pgvec.get_version(collection, query_version);
    active text;
BEGIN
    IF to_regclass(format('%I.%I', host_schema, version.pinned_view)) IS NOT NULL THEN
        PERFORM pgvec.raise_error('40001',
            format('this transaction began before %s of %s was ready: its snapshot does not show that version whole.',
                   query_version, collection),
            jsonb_build_object('collection', collection, 'model_version', query_version),
            'Run the transaction again.');
    END IF;
    active := pgvec.active_version(collection);
    PERFORM pgvec.raise_error('PV013',
        format('version %s of %s is %s: it answers no queries.', query_version, collection, version.state),
        jsonb_build_object('collection', collection, 'query_version', query_version,
                           'state', version.state, 'active', active),
        coalesce(format('Embed the query with the active version, %s.', active), 'No version is active yet.'));
END
$$;
