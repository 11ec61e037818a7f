-- The next step for the problems that ready_problems or catalog_problems found, for a hint.
CREATE OR REPLACE FUNCTION pgvec.what_to_do(collection text, model_version text, problems jsonb)
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN problems ? 'stopped_following'
            THEN format('SELECT pgvec.plan_backfill(%L, %L); then pgvec worker --drain.', collection, model_version)
        WHEN problems ? 'set_aside'
            THEN 'Read last_error in pgvec.work_item and fix the cause, then: pgvec worker --retry-failed.'
        WHEN problems ? 'open_items' THEN 'Let a worker finish them: pgvec worker --drain.'
        WHEN problems ? 'undrawn_turns' THEN pgvec.ways_out(collection, model_version, 'undrawn')
        WHEN problems ? 'surplus'
             AND EXISTS (SELECT FROM pgvec.surplus_chunks(collection, model_version) s WHERE NOT s.deleted)
            THEN pgvec.ways_out(collection, model_version, 'surplus')
        WHEN problems ? 'ahead' THEN pgvec.ways_out(collection, model_version, 'ahead')
        WHEN problems ? 'restored' THEN pgvec.ways_out(collection, pgvec.active_version(collection), 'deleted')
        WHEN problems ?| ARRAY['missing', 'surplus']
            THEN format('SELECT pgvec.plan_backfill(%L, %L); then pgvec worker --drain.', collection, model_version)
        WHEN problems ? 'index' THEN format('SELECT pgvec.build_index(%L, %L);', collection, model_version)
        WHEN problems ?| ARRAY['wrong_dimensions', 'zero_vectors']
            THEN 'Those vectors are not this model''s: delete and embed them again, or abandon the version.'
        ELSE 'A CHECK of the leaf was dropped by hand: abandon the version and register a new label.'
    END;
$$;
