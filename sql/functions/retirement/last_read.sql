-- When a version was last read by somebody who is not us, and how that is known. Nothing of ours searches an HNSW
-- index: what carries writes, counts or checks reads the table or its other indexes, and so do deletes of the app that
-- reach every leaf. So only these two count as reading, the rest of the statistics does not:
--   search        the leaf's HNSW index was used (PostgreSQL 15: its count rose between two runs of retire_due)
--   pinned view   the last statement of a session that is still connected names the version's pinned view
-- Statistics arrive up to a minute late, so a search counts only from one minute after the version began to drain.
-- Nulls when nobody read it since then. Raises PV001, PV002.
CREATE OR REPLACE FUNCTION pgvec.last_read(collection text, model_version text,
                                           by_count boolean DEFAULT current_setting('server_version_num')::integer < 160000,
                                           OUT read_at timestamptz, OUT evidence text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    hnsw oid := to_regclass(format('pgvec_leaves.%I', v.leaf || '_hnsw'));
    searched_at timestamptz;
    asked_at timestamptz;
BEGIN
    IF by_count THEN
        SELECT r.rose_at INTO searched_at FROM pgvec.leaf_reads r WHERE r.collection = v.collection AND r.model_version = v.model_version;
    ELSIF hnsw IS NOT NULL THEN
        -- EXECUTE: PostgreSQL 15 does not have this function.
        EXECUTE 'SELECT pg_catalog.pg_stat_get_lastscan($1)' INTO searched_at USING hnsw;
    END IF;
    IF searched_at <= v.draining_at + interval '1 minute' THEN
        searched_at := NULL;
    END IF;
    SELECT max(CASE WHEN a.state = 'idle' THEN a.state_change ELSE clock_timestamp() END) INTO asked_at
      FROM pg_catalog.pg_stat_activity a
     WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.backend_type = 'client backend'
       AND a.query_start > v.draining_at AND a.query ~ ('\m' || v.pinned_view || '\M');
    read_at := greatest(searched_at, asked_at);
    evidence := CASE WHEN read_at = asked_at THEN 'pinned view' WHEN read_at = searched_at THEN 'search' END;
END
$$;
