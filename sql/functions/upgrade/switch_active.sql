-- What cut_over and roll_back share: with bounded waits for locks, check that nothing is missing, change both
-- states, replace the view. A try that does not get its locks undoes itself whole before the next.
-- Only in READ COMMITTED: another snapshot may be older than the last write, and would not show its work item.
CREATE OR REPLACE FUNCTION pgvec.switch_active(collection text, model_version text, verb text, allow_missing boolean, lock_timeout interval, attempts integer)
RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old_timeout text := current_setting('lock_timeout');
    v pgvec.model_version;
    previous text;
    problems jsonb;
BEGIN
    IF lock_timeout IS NULL OR lock_timeout <= interval '0' OR attempts IS NULL OR attempts < 1 THEN
        PERFORM pgvec.raise_error('PV007', 'lock_timeout must be more than 0 and attempts 1 or more.', jsonb_build_object('lock_timeout', lock_timeout, 'attempts', attempts));
    END IF;
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
       FROM pgvec.refuse_isolation(collection, model_version, verb) r;
    FOR attempt IN 1 .. attempts LOOP
        BEGIN
            PERFORM set_config('lock_timeout', ceil(extract(epoch FROM switch_active.lock_timeout) * 1000)::bigint::text, true);
            PERFORM pgvec.lock_chunk_table(collection);
            PERFORM FROM pgvec.collection c WHERE c.collection = switch_active.collection FOR UPDATE;
            v := pgvec.get_version(collection, model_version);
            previous := pgvec.active_version(collection);
            PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
               FROM pgvec.refuse_switch(collection, model_version, verb, allow_missing) r;
            problems := pgvec.incomplete(collection, model_version);
            -- Nobody may see two active versions: the old one leaves before the new one comes.
            IF previous IS NOT NULL THEN
                PERFORM pgvec.change_state(collection, previous, verb, 'draining',
                                           jsonb_build_object('to', model_version));
            END IF;
            PERFORM pgvec.change_state(collection, model_version, verb, 'active',
                jsonb_build_object('previous', previous, 'attempt', attempt)
                || CASE WHEN problems = '{}' THEN '{}' ELSE jsonb_build_object('missing', problems) END);
            UPDATE pgvec.collection c SET epoch = c.epoch + 1 WHERE c.collection = v.collection;
            PERFORM pgvec.put_routing_view(collection);
            PERFORM set_config('lock_timeout', old_timeout, true);
            RETURN previous;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            IF attempt = attempts THEN
                RAISE EXCEPTION USING ERRCODE = '55P03',
                    MESSAGE = format('%s: no lock on %s after %s attempts: a long transaction holds it. Nothing was changed.', verb, collection, attempts),
                    DETAIL = jsonb_build_object('collection', collection, 'model_version', model_version, 'attempts', attempts,
                        'processes', pgvec.lock_holders(ARRAY[pgvec.chunk_table(collection),
                                                              (pgvec.get_collection(collection)).routing_view]))::text,
                    HINT = 'Look for it in pg_stat_activity (idle in transaction), then call again.';
            END IF;
        END;
        PERFORM pgvec.back_off(attempt);
    END LOOP;
END
$$;
