-- When an application last read a version, and the evidence for it; NULLs when nobody read it since it began to drain.
-- Only two things count as a read:
--   search        the leaf's HNSW index was used (PostgreSQL 15: its count rose between two runs of retire_due)
--   pinned view   the last statement of a session that is still connected names the version's pinned view
-- Arguments:
--   by_count      judge searches by pgvec.leaf_reads, as PostgreSQL 15 must
-- Raises: PV001, PV002.
-- Why only these: pgvec itself never searches an HNSW index. To carry writes, to count and to check, it reads the
-- table or its other indexes; so do deletes of the application that reach every leaf.
-- Why one minute: statistics arrive up to a minute late, so a search counts only from one minute after the version
-- began to drain.
CREATE OR REPLACE FUNCTION pgvec.last_read(
    collection text, model_version text,
    by_count boolean DEFAULT current_setting('server_version_num')::integer < 160000,
    OUT read_at timestamptz, OUT evidence text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    hnsw oid := to_regclass(format('pgvec_leaves.%I', v.leaf || '_hnsw'));
    searched_at timestamptz;
    view_read_at timestamptz;
BEGIN
    IF by_count THEN
        SELECT r.rose_at INTO searched_at
          FROM pgvec.leaf_reads r
         WHERE r.collection = v.collection AND r.model_version = v.model_version;
    ELSIF hnsw IS NOT NULL THEN
        -- EXECUTE: PostgreSQL 15 does not have this function.
        EXECUTE 'SELECT pg_catalog.pg_stat_get_lastscan($1)' INTO searched_at USING hnsw;
    END IF;
    IF searched_at <= v.draining_at + interval '1 minute' THEN
        searched_at := NULL;
    END IF;
    SELECT max(CASE WHEN a.state = 'idle' THEN a.state_change ELSE clock_timestamp() END) INTO view_read_at
      FROM pg_catalog.pg_stat_activity a
     WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.backend_type = 'client backend'
       AND a.query_start > v.draining_at AND a.query ~ ('\m' || v.pinned_view || '\M');
    read_at := greatest(searched_at, view_read_at);
    evidence := CASE WHEN read_at = view_read_at THEN 'pinned view' WHEN read_at = searched_at THEN 'search' END;
END
$$;
