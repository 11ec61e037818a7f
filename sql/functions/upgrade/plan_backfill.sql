-- Makes work items for everything that the version lacks against the active one: intervals of at most
-- chunks_per_item chunks for what must be embedded, single items for what only differs otherwise
-- (other columns, rows that were deleted), and single items for the active version for what only this one has. Call it as often as you like: what nobody has
-- begun is planned anew, what a worker holds or what was set aside stays as it is. A draining version that had stopped following follows again.
-- Returns the number of work items that are open for the version. Raises PV001, PV002, PV005, PV007,
-- 42501 where row-level security would hide rows.
CREATE OR REPLACE FUNCTION pgvec.plan_backfill(collection text, model_version text, chunks_per_item integer DEFAULT 512)
RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    source pgvec.model_version;
    open_items bigint;
    -- What did not follow takes the active version's word for whose a row is.
    planned CONSTANT jsonb := CASE WHEN v.state <> 'active' THEN '"any"' END;
BEGIN
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
       FROM pgvec.refuse_plan_backfill(collection, model_version) r;
    IF chunks_per_item IS NULL OR chunks_per_item < 1 THEN
        PERFORM pgvec.raise_error('PV007', 'chunks_per_item must be 1 or more.', jsonb_build_object('chunks_per_item', chunks_per_item));
    END IF;
    IF NOT v.follows THEN
        PERFORM pgvec.lock_chunk_table(collection);
        UPDATE pgvec.model_version k SET follows = true WHERE k.collection = v.collection AND k.model_version = v.model_version;
        PERFORM pgvec.inherit_work(collection, model_version);
        PERFORM pgvec.log_event(collection, model_version, 'follow_again', v.state, v.state);
    END IF;
    UPDATE pgvec.collection k SET epoch = k.epoch + 1 WHERE k.collection = c.collection;
    FOR source IN SELECT * FROM pgvec.reference_versions(collection, model_version) LOOP
        DELETE FROM pgvec.work_item w
         WHERE w.collection = c.collection AND w.model_version = v.model_version AND w.source_version = source.model_version
           AND w.set_aside_at IS NULL AND w.lease IS NULL AND w.lo <> w.hi;
        EXECUTE format($q$
            WITH todo AS (
                SELECT s.chunk_id, (row_number() OVER (ORDER BY s.chunk_id) - 1) / %5$s AS part
                  FROM pgvec_leaves.%1$I s LEFT JOIN pgvec_leaves.%2$I t ON t.chunk_id = s.chunk_id
                 WHERE (t.chunk_id IS NULL OR (t.content <> s.content AND s.turn > t.turn))
                   AND NOT EXISTS (SELECT FROM pgvec.work_item w
                                    WHERE w.collection = %3$L AND w.model_version = %4$L AND w.source_version = %6$L
                                      AND (w.set_aside_at IS NOT NULL OR w.lease IS NOT NULL) AND w.lo = s.chunk_id::text AND w.hi = w.lo)
                   -- Single items above by equality, intervals here: thousands may be set aside, and each would meet every chunk.
                   AND NOT EXISTS (SELECT FROM pgvec.work_item w
                                    WHERE w.collection = %3$L AND w.model_version = %4$L AND w.source_version = %6$L AND w.lo <> w.hi
                                      AND (w.set_aside_at IS NOT NULL OR w.lease IS NOT NULL) AND s.chunk_id BETWEEN w.lo::%7$s AND w.hi::%7$s))
            INSERT INTO pgvec.work_item (collection, source_version, model_version, lo, hi, owner)
            SELECT %3$L, %6$L, %4$L, (array_agg(chunk_id ORDER BY chunk_id))[1]::text, (array_agg(chunk_id ORDER BY chunk_id DESC))[1]::text, $1
              FROM todo GROUP BY part ORDER BY part
            ON CONFLICT (collection, model_version, source_version, lo, hi) DO NOTHING
        $q$, source.leaf, v.leaf, c.collection, v.model_version, chunks_per_item, source.model_version, c.id_type)
        USING planned;
        EXECUTE format($q$
            INSERT INTO pgvec.work_item (collection, source_version, model_version, lo, hi, owner)
            SELECT %3$L, %5$L, %4$L, o.chunk_id::text, o.chunk_id::text, $1
              FROM (SELECT t.chunk_id FROM pgvec_leaves.%1$I s JOIN pgvec_leaves.%2$I t ON t.chunk_id = s.chunk_id AND t.content = s.content
                     WHERE s.turn > t.turn
                    UNION
                    SELECT t.chunk_id FROM pgvec_leaves.%2$I t JOIN pgvec.tombstone d ON d.collection = %3$L AND d.chunk_id = t.chunk_id::text AND d.turn >= t.turn) o
            ON CONFLICT (collection, model_version, source_version, lo, hi) DO NOTHING
        $q$, source.leaf, v.leaf, c.collection, v.model_version, source.model_version) USING planned;
        -- What only this version holds, and nobody deleted, is news for the active one.
        CONTINUE WHEN source.state <> 'active';
        EXECUTE format($q$
            INSERT INTO pgvec.work_item (collection, source_version, model_version, lo, hi)
            SELECT %3$L, %4$L, %5$L, o.chunk_id, o.chunk_id FROM pgvec.surplus_chunks(%3$L, %4$L) o WHERE NOT o.deleted
            ON CONFLICT (collection, model_version, source_version, lo, hi) DO NOTHING
        $q$, source.leaf, v.leaf, c.collection, v.model_version, source.model_version);
    END LOOP;
    SELECT count(*) INTO open_items FROM pgvec.work_item w
     WHERE w.collection = c.collection AND w.model_version = v.model_version AND w.set_aside_at IS NULL;
    PERFORM pgvec.log_event(collection, model_version, 'plan_backfill', v.state, v.state, jsonb_build_object('open_items', open_items));
    RETURN open_items;
END
$$;
