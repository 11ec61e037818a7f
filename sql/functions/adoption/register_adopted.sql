-- For swap_in: the catalog row of the version whose leaf the table became. It is active from the start.
CREATE OR REPLACE FUNCTION pgvec.register_adopted(a pgvec.adoption, c pgvec.collection)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    moment CONSTANT timestamptz := clock_timestamp();
BEGIN
    INSERT INTO pgvec.model_version (collection, model_version, state, dimensions, embedder, m, ef_construction,
                                     index_kind, leaf, pinned_view, leaf_relation, chunk_relation, policy_mark,
                                     ready_at, activated_at)
    SELECT a.collection, a.model_version, 'active', (a.options ->> 'dimensions')::integer, a.options -> 'embedder',
           (a.options ->> 'm')::integer, (a.options ->> 'ef_construction')::integer, 'column', a.leaf, a.pinned_view,
           a.source, c.chunk_table, pgvec.policy_mark(c.chunk_table, a.source), moment, moment;
    PERFORM pgvec.log_event(a.collection, NULL, 'create_collection', NULL, NULL,
                            jsonb_build_object('adopted', format('%I.%I', a.host_schema, a.table_name)));
    PERFORM pgvec.log_event(a.collection, a.model_version, 'adopt', NULL, 'active',
        jsonb_build_object('table', format('%I.%I', a.host_schema, a.table_name), 'columns', a.columns,
                           'rows', a.options -> 'rows'));
END
$$;
