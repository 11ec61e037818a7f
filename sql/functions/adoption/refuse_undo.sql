-- Why an adoption cannot be undone: another version is there, or was, whose rows would be lost.
-- Raises: PV001 (no adoption of this name).
CREATE OR REPLACE FUNCTION pgvec.refuse_undo(collection text)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'PV005', format('%s cannot become %I.%I again: it has version %s, %s.', a.collection, a.host_schema,
                           a.table_name, v.model_version, v.state),
           jsonb_build_object('collection', a.collection, 'model_version', v.model_version, 'state', v.state),
           CASE WHEN v.state IN ('building', 'ready')
                THEN format('SELECT pgvec.abandon(%L, %L); then again.', a.collection, v.model_version)
                ELSE 'After the first cut-over there is no way back to one table.' END
      FROM pgvec.get_adoption($1) a
      JOIN pgvec.model_version v ON v.collection = a.collection AND v.model_version <> a.model_version
     WHERE v.dropped_at IS NULL OR v.activated_at IS NOT NULL
    UNION ALL
    SELECT 'PV005', format('%s cannot become %I.%I again: its old vector indexes are gone.', a.collection,
                           a.host_schema, a.table_name),
           jsonb_build_object('collection', a.collection), 'The adoption was finished; there is no way back.'
      FROM pgvec.get_adoption($1) a
     WHERE a.adopted_at IS NOT NULL AND a.original -> 'vector_indexes' <> '{}'
       AND NOT EXISTS (SELECT FROM pgvec.old_vector_indexes(a.collection))
    UNION ALL
    SELECT 'PV005', format('%I.%I is taken: the table cannot have its name again.', a.host_schema, a.table_name),
           jsonb_build_object('collection', a.collection), 'Rename the relation that has it.'
      FROM pgvec.get_adoption($1) a
     WHERE a.adopted_at IS NOT NULL
       AND to_regclass(format('%I.%I', a.host_schema, a.table_name)) IS DISTINCT FROM a.old_view;
$$;
