-- Records that claimed items failed. Below max_attempts they are tried again after retry_in. At
-- max_attempts an interval is halved (split = true), so that one bad chunk ends up alone; a single chunk,
-- or an interval with split = false, is set aside with its error: it holds nobody up and blocks ready.
-- Shape: items to be tried again, halves made, items set aside. Raises PV007.
-- SECURITY DEFINER: see renew_work. Where row-level security holds the owner too, an interval is not halved: what cannot
-- be seen would be lost.
CREATE OR REPLACE FUNCTION pgvec.fail_work(lease uuid, error text, max_attempts integer DEFAULT 3, retry_in interval DEFAULT '5 seconds', split boolean DEFAULT true)
RETURNS TABLE (retried bigint, halves bigint, set_aside bigint) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    w pgvec.work_item;
    c pgvec.collection;
    source_leaf text;
    seen_whole boolean;
    ids text[];
    middle integer;
BEGIN
    PERFORM pgvec.check_interval('retry_in', retry_in, lowest => '-1 year');
    IF max_attempts IS NULL OR max_attempts < 1 THEN
        PERFORM pgvec.raise_error('PV007', 'max_attempts must be 1 or more.',
            jsonb_build_object('max_attempts', max_attempts));
    END IF;
    retried := 0;
    halves := 0;
    set_aside := 0;
    FOR w IN SELECT k.* FROM pgvec.work_item k WHERE k.lease = fail_work.lease ORDER BY k.item_id FOR UPDATE LOOP
        IF w.attempts < max_attempts THEN
            UPDATE pgvec.work_item k SET lease = NULL, leased_until = clock_timestamp() + retry_in, last_error = left(error, 2000) WHERE k.item_id = w.item_id;
            retried := retried + 1;
            CONTINUE;
        END IF;
        source_leaf := (pgvec.get_version(w.collection, w.source_version)).leaf;
        seen_whole := NOT coalesce(row_security_active(to_regclass(format('pgvec_leaves.%I', source_leaf))), true);
        IF split AND w.lo <> w.hi AND seen_whole THEN
            c := pgvec.get_collection(w.collection);
            EXECUTE format('SELECT array_agg(s.chunk_id::text ORDER BY s.chunk_id) FROM pgvec_leaves.%I s WHERE s.chunk_id BETWEEN %L::%s AND %L::%s',
                           source_leaf, w.lo, c.id_type, w.hi, c.id_type) INTO ids;
            DELETE FROM pgvec.work_item k WHERE k.item_id = w.item_id;
            IF cardinality(ids) > 0 THEN
                middle := greatest(cardinality(ids) / 2, 1);
                -- The halves come with one try left: a half that fails is halved again at once.
                INSERT INTO pgvec.work_item (collection, source_version, model_version, lo, hi, attempts, last_error)
                SELECT w.collection, w.source_version, w.model_version, h.lo, h.hi, max_attempts - 1, left(error, 2000)
                  FROM (VALUES (ids[1], ids[middle]), (ids[middle + 1], ids[cardinality(ids)])) h(lo, hi)
                 WHERE h.lo IS NOT NULL
                ON CONFLICT (collection, model_version, source_version, lo, hi) DO NOTHING;
                halves := halves + 1;
            END IF;
            CONTINUE;
        END IF;
        UPDATE pgvec.work_item k SET lease = NULL, leased_until = NULL, last_error = left(error, 2000), set_aside_at = clock_timestamp() WHERE k.item_id = w.item_id;
        PERFORM pgvec.log_event(w.collection, w.model_version, 'set_aside', NULL, NULL,
            jsonb_build_object('source_version', w.source_version, 'lo', w.lo, 'hi', w.hi, 'attempts', w.attempts, 'error', left(error, 2000)));
        set_aside := set_aside + 1;
    END LOOP;
    RETURN NEXT;
END
$$;
