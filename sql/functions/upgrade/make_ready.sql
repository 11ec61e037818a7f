-- Checks a version by its rows, makes it ready and creates its pinned view. A version that is ready already is checked
-- again; if a check fails, it falls back to building, with a warning.
-- Returns the state that the version is in then.
-- Raises: PV001 (no such collection), PV002 (no such version), PV005 (not building or ready), PV006 (something is
-- missing; DETAIL holds the numbers), PV060 (paused).
CREATE OR REPLACE FUNCTION pgvec.make_ready(collection text, model_version text)
RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version;
    problems jsonb;
BEGIN
    PERFORM pgvec.get_version(collection, model_version);
    PERFORM FROM pgvec.collection c WHERE c.collection = make_ready.collection FOR UPDATE;
    v := pgvec.get_version(collection, model_version);
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
       FROM pgvec.refuse_make_ready(collection, model_version) r;
    IF v.state = 'building' THEN
        PERFORM pgvec.change_state(collection, model_version, 'make_ready', 'ready');
        PERFORM pgvec.put_pinned_view(collection, model_version);
        PERFORM pgvec.apply_grants(collection);
        RETURN 'ready';
    END IF;
    problems := pgvec.ready_problems(collection, model_version);
    IF problems <> '{}' THEN
        PERFORM pgvec.change_state(collection, model_version, 'make_ready', 'building', problems);
        PERFORM pgvec.drop_pinned_view(collection, model_version);
        RAISE WARNING 'version % of % is building again: %', model_version, collection, problems
            USING HINT = pgvec.what_to_do(collection, model_version, problems);
        RETURN 'building';
    END IF;
    RETURN 'ready';
END
$$;
