-- Records that claimed items failed. Below max_attempts they are tried again after retry_in. At max_attempts an
-- interval is halved, so that one bad chunk ends up alone; a single chunk is set aside with its error, so that other
-- work goes on. What is set aside blocks ready.
-- Arguments:
--   split  false sets an interval aside as it is
-- Shape: items that are tried again, items that were halved, items that were set aside.
-- Raises: PV007 (max_attempts, retry_in).
-- SECURITY DEFINER: see renew_work.
-- Why an interval is not halved where row-level security applies to the owner too: chunks that the owner does not see
-- would be lost.
CREATE OR REPLACE FUNCTION pgvec.fail_work(lease uuid, error text, max_attempts integer DEFAULT 3,
                                           retry_in interval DEFAULT '5 seconds', split boolean DEFAULT true)
RETURNS TABLE (retried bigint, halves bigint, set_aside bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    item pgvec.work_item;
    short_error CONSTANT text := left(error, 2000);
    source_leaf text;
    sees_all boolean;
BEGIN
    PERFORM pgvec.check_interval('retry_in', retry_in, lowest => '-1 year');
    IF max_attempts IS NULL OR max_attempts < 1 THEN
        PERFORM pgvec.raise_error('PV007', 'max_attempts must be 1 or more.',
            jsonb_build_object('max_attempts', max_attempts));
    END IF;
    retried := 0;
    halves := 0;
    set_aside := 0;
    FOR item IN SELECT w.* FROM pgvec.work_item w WHERE w.lease = fail_work.lease ORDER BY w.item_id FOR UPDATE LOOP
        IF item.attempts < max_attempts THEN
            UPDATE pgvec.work_item w
               SET lease = NULL, leased_until = clock_timestamp() + retry_in, last_error = short_error
             WHERE w.item_id = item.item_id;
            retried := retried + 1;
            CONTINUE;
        END IF;
        source_leaf := (pgvec.get_version(item.collection, item.source_version)).leaf;
        sees_all := NOT coalesce(row_security_active(to_regclass(format('pgvec_leaves.%I', source_leaf))), true);
        IF split AND item.lo <> item.hi AND sees_all THEN
            IF pgvec.halve_item(item, source_leaf, max_attempts - 1, short_error) THEN
                halves := halves + 1;
            END IF;
        ELSE
            PERFORM pgvec.set_item_aside(item, short_error);
            set_aside := set_aside + 1;
        END IF;
    END LOOP;
    RETURN NEXT;
END
$$;
