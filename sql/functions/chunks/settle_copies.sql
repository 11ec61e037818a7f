-- Settles what an INSERT put into versions that are not active yet, of chunks that the active version holds. In a
-- building version such a row is a copy and never news, unless the writer says so (pgvec.news). In a ready version it
-- is a copy if it brings the written_at of an earlier write, or a turn that is not later than the active row's. A copy
-- with the active version's text takes its turn and its other columns. With another text it falls behind everything and
-- a work item brings the right one. A copy of a chunk that was deleted meanwhile is deleted.
-- Returns what is left to be carried, in the shape of its argument.
CREATE OR REPLACE FUNCTION pgvec.settle_copies(c pgvec.collection, written pgvec.version_chunks[])
RETURNS pgvec.version_chunks[] LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    active pgvec.model_version;
    filled pgvec.model_version;
    change pgvec.version_chunks;
    news pgvec.version_chunks[] := '{}';
    copies text[];
BEGIN
    SELECT k.* INTO active FROM pgvec.model_version k WHERE k.collection = c.collection AND k.state = 'active';
    IF NOT FOUND OR current_setting('pgvec.news', true) = 'on' THEN
        RETURN written;
    END IF;
    FOREACH change IN ARRAY written LOOP
        filled := pgvec.get_version(c.collection, change.model_version);
        IF filled.state IN ('building', 'ready') THEN
            copies := change.chunk_ids;
            IF filled.state = 'ready' THEN
                EXECUTE format($q$
                    SELECT coalesce(array_agg(f.chunk_id::text), '{}')
                      FROM pgvec_leaves.%I f LEFT JOIN pgvec_leaves.%I a ON a.chunk_id = f.chunk_id
                     WHERE f.chunk_id = ANY ($1::%s[])
                       AND (f.written_at < statement_timestamp() OR f.turn <= a.turn)
                $q$, filled.leaf, active.leaf, c.id_type) INTO copies USING change.chunk_ids;
            END IF;
            change.chunk_ids := pgvec.settle_fill(c, active, filled, copies)
                || ARRAY(SELECT u FROM unnest(change.chunk_ids) u WHERE u <> ALL (copies));
        END IF;
        IF change.chunk_ids <> '{}' THEN
            news := news || change;
        END IF;
    END LOOP;
    RETURN news;
END
$$;
