-- Calls one of a collection's two doors (see put_doors) as the caller, whose right to it PostgreSQL checks.
-- Returns what the door returns. Raises PV001, PV007 (no such door), PV008 (the door is not in the catalog), and 42501
-- for whom it is shut.
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
    -- The check that counts is the call's own; this one only says what to do.
    IF NOT has_function_privilege(door_name || '(text, jsonb)', 'EXECUTE') THEN
        PERFORM pgvec.raise_error('42501', format('%s has no right to %s in %s.', current_user, verb, c.collection),
            jsonb_build_object('collection', c.collection, 'role', current_user, 'verb', verb),
            format('SELECT pgvec.grant_%s(%L, %L);', CASE door WHEN 'queue' THEN 'worker' ELSE 'write' END,
                   c.collection, quote_ident(current_user)));
    END IF;
    EXECUTE format('SELECT %s($1, $2)', door_name) INTO answer USING verb, arguments;
    RETURN answer;
END
$$;
