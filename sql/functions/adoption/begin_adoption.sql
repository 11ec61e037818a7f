-- Writes down that a table is to become the first version of a new collection, and what the table is now. Changes
-- nothing else: pgvec.adoption_steps lists the statements that do it.
-- Arguments:
--   columns     the chunk table's column to the table's own name for it; what is left out is guessed
--   the others  as in pgvec.create_collection and pgvec.register_version
-- Returns the complete mapping of columns.
-- Raises: what pgvec.refuse_mapping and pgvec.refuse_adoption find; PV007 (rows that do not fit, with their number).
CREATE OR REPLACE FUNCTION pgvec.begin_adoption(source regclass, collection text, model_version text,
                                                columns jsonb DEFAULT '{}', distance text DEFAULT 'cosine',
                                                embedder jsonb DEFAULT '{}', m integer DEFAULT 16,
                                                ef_construction integer DEFAULT 64,
                                                retire_after interval DEFAULT '7 days',
                                                require_query_version boolean DEFAULT true,
                                                follow_while_draining boolean DEFAULT true)
RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    mapped jsonb;
    chosen jsonb := jsonb_build_object(
        'distance', distance, 'embedder', embedder, 'm', m, 'ef_construction', ef_construction,
        'retire_after', retire_after, 'require_query_version', coalesce(require_query_version, true),
        'follow_while_draining', coalesce(follow_while_draining, true));
    own record;
    unfit record;
BEGIN
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint) FROM pgvec.refuse_mapping(columns) r;
    mapped := pgvec.guess_columns(source) || coalesce(columns, '{}');
    chosen := chosen || coalesce((SELECT jsonb_build_object('storage', t.typname) FROM pg_catalog.pg_attribute a
                           JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
                          WHERE a.attrelid = source AND a.attname = mapped ->> 'embedding' AND a.attnum > 0), '{}');
    chosen := chosen || coalesce((SELECT jsonb_build_object('id_type', CASE y.name WHEN 'character varying' THEN 'text'
                                                                          ELSE y.name END)
                           FROM pg_catalog.pg_attribute a
                          CROSS JOIN LATERAL format_type(a.atttypid, NULL) y (name)
                          WHERE a.attrelid = source AND a.attname = mapped ->> 'chunk_id' AND a.attnum > 0), '{}');
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
       FROM pgvec.refuse_adoption(source, collection, model_version, mapped, chosen) r;
    unfit := pgvec.count_unfit_rows(source, mapped ->> 'embedding', mapped ->> 'content');
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
       FROM pgvec.refuse_unfit_rows(source, chosen ->> 'distance', to_jsonb(unfit)) r;
    chosen := chosen || jsonb_build_object(
        'rows', unfit.chunks, 'turn', nextval('pgvec.turn'),
        'dimensions', coalesce((SELECT d::integer FROM jsonb_object_keys(unfit.dimensions) d),
                               (SELECT nullif(a.atttypmod, -1) FROM pg_catalog.pg_attribute a
                                 WHERE a.attrelid = source AND a.attname = mapped ->> 'embedding' AND a.attnum > 0)));
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
       FROM pgvec.refuse_version_options(chosen ->> 'storage', chosen) r;
    SELECT n.nspname, t.relname INTO own
      FROM pg_catalog.pg_class t JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace WHERE t.oid = source;
    INSERT INTO pgvec.adoption (collection, model_version, source, host_schema, table_name, leaf, pinned_view,
                                columns, options, original)
    SELECT begin_adoption.collection, begin_adoption.model_version, source, own.nspname, own.relname, l.leaf,
           l.pinned_view, mapped, chosen, pgvec.original_table(source)
      FROM pgvec.name_leaf(jsonb_populate_record(NULL::pgvec.collection,
               jsonb_build_object('collection', begin_adoption.collection, 'host_schema', own.nspname)),
               begin_adoption.model_version) l;
    PERFORM pgvec.log_event(collection, model_version, 'begin_adoption', NULL, NULL,
                            jsonb_build_object('table', source::text, 'columns', mapped));
    RETURN mapped;
END
$$;
