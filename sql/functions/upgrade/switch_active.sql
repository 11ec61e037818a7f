-- What cut_over and roll_back share: waits for its locks in bounded tries, checks that nothing is missing, changes the
-- states of both versions and replaces the routing view. A try that does not get its locks is undone before the next;
-- notices say whom it waits for.
-- Arguments:
--   verb           cut_over or roll_back, which have checked lock_timeout and attempts
--   allow_missing  switch although something is missing; the event says what was missing
-- Returns the label that was active before, or NULL.
-- Raises: PV007 (isolation), what refuse_switch finds, 55P03 (no lock after all attempts).
-- Why READ COMMITTED only: an older snapshot would not show the work item of the last write.
CREATE OR REPLACE FUNCTION pgvec.switch_active(collection text, model_version text, verb text, allow_missing boolean,
                                               lock_timeout interval, attempts integer)
RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old_timeout CONSTANT text := current_setting('lock_timeout');
    new_timeout CONSTANT text := ceil(extract(epoch FROM lock_timeout) * 1000)::bigint::text;
    previous text;
    in_the_way integer[];
BEGIN
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
       FROM pgvec.refuse_isolation(collection, model_version, verb) r;
    FOR attempt IN 1 .. attempts LOOP
        BEGIN
            PERFORM set_config('lock_timeout', new_timeout, true);
            PERFORM pgvec.lock_chunk_table(collection);
            PERFORM FROM pgvec.collection c WHERE c.collection = switch_active.collection FOR UPDATE;
            PERFORM pgvec.get_version(collection, model_version);
            PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
               FROM pgvec.refuse_switch(collection, model_version, verb, allow_missing) r;
            previous := pgvec.change_active(collection, model_version, verb, attempt);
            PERFORM pgvec.put_routing_view(collection);
            PERFORM set_config('lock_timeout', old_timeout, true);
            RETURN previous;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            in_the_way := pgvec.lock_holders(ARRAY[pgvec.chunk_table(collection),
                                                   (pgvec.get_collection(collection)).routing_view]);
            IF attempt = attempts THEN
                PERFORM pgvec.raise_error('55P03',
                    format('%s: no lock on %s after %s attempts: a long transaction holds it. Nothing was changed.',
                           verb, collection, attempts),
                    jsonb_build_object('collection', collection, 'model_version', model_version, 'attempts', attempts,
                        'processes', in_the_way),
                    'Look for it in pg_stat_activity (idle in transaction), then call again.');
            END IF;
        END;
        PERFORM pgvec.say_waiting(verb, collection, in_the_way, attempt, attempts);
        PERFORM pgvec.back_off(attempt);
    END LOOP;
END
$$;
