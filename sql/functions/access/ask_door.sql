-- Calls one of a collection's two doors (pgvec.put_doors) as the current role, and returns what the door returns.
-- PostgreSQL checks that the role may call it.
-- Arguments:
--   door              'queue' or 'waiting'
--   verb, arguments   what the door is asked to do, and with what; see pgvec.queue_verb and pgvec.waiting_verb
-- Raises: PV001, PV007 (no such door), PV008 (the door is not in the catalog), 42501 (no right to it).
CREATE OR REPLACE FUNCTION pgvec.ask_door(door text, collection text, verb text, arguments jsonb)
RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    door_name CONSTANT text := 'pgvec.' || quote_ident(door || '_' || c.collection);
    answer jsonb;
BEGIN
    IF door IS NULL OR door NOT IN ('queue', 'waiting') THEN
        PERFORM pgvec.raise_error('PV007', 'a collection has the doors queue and waiting.',
            jsonb_build_object('collection', c.collection, 'door', door));
    ELSIF to_regprocedure(door_name || '(text, jsonb)') IS NULL THEN
        PERFORM pgvec.raise_error('PV008', format('%s is not there.', door_name),
            jsonb_build_object('collection', c.collection, 'door', door), 'Run: pgvec init');
    END IF;
    -- PostgreSQL checks the right again at the call. This check is here for its message.
    IF NOT has_function_privilege(door_name || '(text, jsonb)', 'EXECUTE') THEN
        PERFORM pgvec.raise_error('42501', format('%s has no right to %s in %s.', current_user, verb, c.collection),
            jsonb_build_object('collection', c.collection, 'role', current_user, 'verb', verb),
            format('Ask the owner of the collection to run: SELECT pgvec.grant_%s(%L, %L);',
                   CASE door WHEN 'queue' THEN 'worker' ELSE 'write' END, c.collection, quote_ident(current_user)));
    END IF;
    EXECUTE format('SELECT %s($1, $2)', door_name) INTO answer USING verb, arguments;
    RETURN answer;
END
$$;
