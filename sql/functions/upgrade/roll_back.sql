-- Makes the version that was active last active again; the present one drains. No row is rewritten:
-- it followed every write. A version that did not follow (follow_while_draining = false) must catch up first.
-- allow_missing goes back at once even so, and says in the event what was missing.
-- Returns the label that is active now. Raises PV001, PV005 (nothing to go back to), PV006 (work open), PV007 (isolation), 55P03.
CREATE OR REPLACE FUNCTION pgvec.roll_back(collection text, lock_timeout interval DEFAULT '200 ms', attempts integer DEFAULT 20, allow_missing boolean DEFAULT false)
RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    back text := pgvec.previous_version(collection);
BEGIN
    PERFORM pgvec.check_patience(lock_timeout, attempts);
    IF back IS NULL THEN
        PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint) FROM pgvec.refuse_roll_back(collection) r;
    END IF;
    PERFORM pgvec.switch_active(c.collection, back, 'roll_back', allow_missing, lock_timeout, attempts);
    RETURN back;
END
$$;
