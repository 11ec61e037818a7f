-- Makes a ready version active, in one transaction: states, routing view and events change together or not at all. The
-- version that was active drains from then on. Writers are kept out while it checks that nothing is missing, and no
-- session waits behind it for longer than lock_timeout a try.
-- Arguments:
--   force, reason  go through although the collection's gate says no; both are recorded. Nothing else is forced.
-- Returns the label that was active before, or NULL.
-- Raises: PV001 (no such collection), PV002 (no such version), PV005 (not ready), PV006 (work open or set aside,
-- index), PV007 (isolation, force without a reason), PV009 (another cut-over came between), PV060 (paused), PV080 (the
-- gate), 55P03 (no lock after all attempts).
CREATE OR REPLACE FUNCTION pgvec.cut_over(collection text, model_version text,
                                          lock_timeout interval DEFAULT '200 ms', attempts integer DEFAULT 20,
                                          force boolean DEFAULT false, reason text DEFAULT NULL)
RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    verdict jsonb;
    previous text;
BEGIN
    PERFORM pgvec.check_patience(lock_timeout, attempts);
    PERFORM pgvec.get_version(collection, model_version);
    PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
       FROM pgvec.refuse_while_paused(collection, model_version, 'cut_over') r;
    verdict := pgvec.pass_gate(collection, model_version, coalesce(force, false), reason);
    previous := pgvec.switch_active(collection, model_version, 'cut_over', false, lock_timeout, attempts);
    IF (verdict ->> 'gated')::boolean AND previous IS DISTINCT FROM verdict ->> 'active' THEN
        PERFORM pgvec.raise_error('PV009',
            format('cut_over: %s became active while %s was judged against %s.', previous, model_version,
                   coalesce(verdict ->> 'active', 'nothing')),
            jsonb_build_object('collection', collection, 'model_version', model_version, 'active', previous,
                               'judged_against', verdict -> 'active'),
            'Evaluate it against the active version and call again.');
    END IF;
    RETURN previous;
END
$$;
