-- For plan_backfill of the active version: plans an item for each chunk that another version holds and the active one
-- lacks, or holds in an older form, where none is open. This is also for versions that the active one is not compared
-- with: those that are being built, and those that do not follow.
-- Raises: 42501 (row-level security would hide rows).
CREATE OR REPLACE FUNCTION pgvec.plan_unsettled(c pgvec.collection, active pgvec.model_version)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    source pgvec.model_version;
BEGIN
    FOR source IN SELECT v.* FROM pgvec.model_version v
                   WHERE v.collection = c.collection AND v.dropped_at IS NULL
                     AND v.state IN ('building', 'ready', 'draining')
    LOOP
        CONTINUE WHEN to_regclass(format('pgvec_leaves.%I', source.leaf)) IS NULL;
        PERFORM pgvec.draw_lost_turns(c, source);
        INSERT INTO pgvec.work_item (collection, source_version, model_version, lo, hi)
        SELECT c.collection, source.model_version, active.model_version, u.chunk_id, u.chunk_id
          FROM pgvec.unsettled_chunks(c.collection, source.model_version) u
         WHERE u.difference IN ('ahead', 'surplus')
        ON CONFLICT (collection, model_version, source_version, lo, hi) DO NOTHING;
    END LOOP;
END
$$;
