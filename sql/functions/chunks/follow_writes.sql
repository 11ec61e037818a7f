-- Statement trigger on the chunk table: carries a change of one version's rows to every other live version.
-- One rule: of two writes to a chunk the later turn wins, whole, and a delete is a write (pgvec.tombstone). Of several
-- rows of one chunk that one statement writes, the one that was ahead stays ahead. A writer never waits for another
-- version's row. A row of an abandoned version carries nothing and stops no write. Workers write to the leaves, where
-- this does not fire.
-- Raises: PV007 (a trigger on another table; a turn that was never drawn), PV023 (an INSERT into an abandoned version),
-- 40001 (snapshot older than the set of live versions), 42501 (row-level security).
-- Why SECURITY DEFINER: a writer needs no privilege on the catalog or on other versions' leaves.
CREATE OR REPLACE FUNCTION pgvec.follow_writes()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    stale_reader CONSTANT boolean :=
        current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted');
    c CONSTANT pgvec.collection := pgvec.writers_collection(TG_RELID, TG_ARGV[0], stale_reader);
    leaves CONSTANT integer := (SELECT count(*) FROM pgvec.model_version v
                                 WHERE v.collection = c.collection AND v.dropped_at IS NULL);
    abandoned CONSTANT text[] := ARRAY(
        SELECT v.model_version FROM pgvec.model_version v
         WHERE v.collection = c.collection AND v.dropped_at IS NULL AND v.state = 'abandoned');
    written pgvec.version_chunks[];
    late pgvec.version_chunks[];
    deleted pgvec.version_chunks[];
    owned pgvec.owned_chunk[];
BEGIN
    IF TG_OP <> 'DELETE' THEN
        PERFORM pgvec.refuse_strange_turn(c.collection, (SELECT max(n.turn) FROM new_rows n));
        IF TG_OP = 'INSERT' AND abandoned <> '{}' THEN
            PERFORM pgvec.refuse_abandoned(c.collection, abandoned,
                                           ARRAY(SELECT DISTINCT n.model_version FROM new_rows n));
        END IF;
    END IF;
    IF leaves < 2 THEN
        RETURN NULL;
    END IF;
    PERFORM pgvec.refuse_forced_policies(TG_RELID, c.collection);
    IF pgvec.policy_columns(TG_RELID) <> '{}' THEN
        EXECUTE pgvec.read_owners(TG_RELID, TG_OP) INTO owned USING abandoned;
        PERFORM pgvec.refuse_foreign(c, TG_RELID, owned, TG_OP);
    END IF;

    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(ROW(g.model_version, g.ids)::pgvec.version_chunks ORDER BY g.model_version) INTO written
          FROM (SELECT n.model_version, array_agg(n.chunk_id::text) AS ids FROM new_rows n GROUP BY 1) g;
        written := pgvec.settle_inserts(c, coalesce(written, '{}'), stale_reader,
                                        EXISTS (SELECT FROM new_rows n WHERE n.written_at < statement_timestamp()));
    ELSIF TG_OP = 'UPDATE' THEN
        -- One row a chunk: the one that was ahead; of equals, the one that took its turn last. It is late where another
        -- row of the chunk, or the statement itself with a turn of its own, came out ahead of it.
        SELECT array_agg(ROW(g.model_version, g.ids)::pgvec.version_chunks ORDER BY g.model_version),
               array_agg(ROW(g.model_version, g.late)::pgvec.version_chunks) FILTER (WHERE g.late IS NOT NULL)
          INTO written, late
          FROM (SELECT k.model_version, array_agg(k.id) AS ids,
                       array_agg(k.id) FILTER (WHERE k.turn < k.top OR k.turn <= k.before) AS late
                  FROM (SELECT n.chunk_id::text AS id, n.model_version, n.turn,
                               max(n.turn) OVER chunk AS top, max(o.turn) OVER () AS before,
                               row_number() OVER (chunk ORDER BY o.turn DESC NULLS LAST, n.turn DESC) AS place
                          FROM new_rows n
                          LEFT JOIN old_rows o ON o.chunk_id = n.chunk_id AND o.model_version = n.model_version
                         WHERE n.model_version <> ALL (abandoned)
                        WINDOW chunk AS (PARTITION BY n.chunk_id)) k
                 WHERE k.place = 1 GROUP BY 1) g;
        SELECT array_agg(ROW(g.model_version, g.ids)::pgvec.version_chunks) INTO deleted
          FROM (SELECT o.model_version, array_agg(o.chunk_id::text) AS ids
                  FROM old_rows o LEFT JOIN new_rows n ON n.chunk_id = o.chunk_id AND n.model_version = o.model_version
                 WHERE n.chunk_id IS NULL AND o.model_version <> ALL (abandoned) GROUP BY 1) g;
        PERFORM pgvec.settle_updates(c, coalesce(written, '{}'), coalesce(late, '{}'), deleted IS NOT NULL);
    ELSE
        SELECT array_agg(ROW(g.model_version, g.ids)::pgvec.version_chunks) INTO deleted
          FROM (SELECT o.model_version, array_agg(o.chunk_id::text) AS ids
                  FROM old_rows o WHERE o.model_version <> ALL (abandoned) GROUP BY 1) g;
    END IF;
    PERFORM pgvec.carry_changes(c, coalesce(written, '{}'), coalesce(deleted, '{}'), coalesce(owned, '{}'),
                                stale_reader);
    RETURN NULL;
END
$$;
