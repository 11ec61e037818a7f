-- Sets how a collection retires its versions. An argument that is NULL leaves its setting as it is.
-- Arguments:
--   on_retire      what becomes of a leaf. 'drop': it is dropped. 'archive': it moves to schema pgvec_archive, without
--                  its HNSW index. 'export': the version stays until pgvec export has written it to a file
--   read_window    a due version that was read within this time stays; zero turns that off
--   retire_after   how long a version stays after a cut-over
-- Raises: PV001, PV007 (argument).
CREATE OR REPLACE FUNCTION pgvec.set_retirement(collection text, on_retire text DEFAULT NULL,
                                                read_window interval DEFAULT NULL,
                                                retire_after interval DEFAULT NULL)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before pgvec.retirement_setting;
BEGIN
    PERFORM pgvec.get_collection(collection);
    IF on_retire NOT IN ('drop', 'archive', 'export') THEN
        PERFORM pgvec.raise_error('PV007', format('unknown on_retire %L.', on_retire),
            jsonb_build_object('on_retire', on_retire), 'Use drop, archive or export.');
    END IF;
    PERFORM pgvec.check_interval('read_window', coalesce(read_window, '0')),
            pgvec.check_interval('retire_after', coalesce(retire_after, '0'));
    before := pgvec.retirement_settings(collection);
    INSERT INTO pgvec.retirement_setting AS k (collection, on_retire, read_window)
    VALUES (set_retirement.collection, coalesce(set_retirement.on_retire, before.on_retire),
            coalesce(set_retirement.read_window, before.read_window))
    ON CONFLICT ON CONSTRAINT retirement_setting_pkey DO UPDATE
       SET on_retire = excluded.on_retire, read_window = excluded.read_window;
    UPDATE pgvec.collection c
       SET retire_after = set_retirement.retire_after
     WHERE c.collection = set_retirement.collection AND set_retirement.retire_after IS NOT NULL;
    PERFORM pgvec.log_event(collection, NULL, 'set_retirement', NULL, NULL,
        jsonb_strip_nulls(jsonb_build_object('on_retire', on_retire, 'read_window', read_window,
                                             'retire_after', retire_after)));
END
$$;
