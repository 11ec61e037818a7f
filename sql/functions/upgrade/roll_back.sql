-- Makes the version that was active last active again; the present one drains. No row is rewritten, because the version
-- has followed every write. A version that has not (follow_while_draining = false) must catch up first.
-- Arguments:
--   allow_missing  go back at once although something is missing; the event says what was missing
-- Returns the label that is active now.
-- Raises: PV001 (no such collection), PV005 (no version to go back to), PV006 (work open), PV007 (isolation), 55P03 (no
-- lock after all attempts).
CREATE OR REPLACE FUNCTION pgvec.roll_back(collection text, lock_timeout interval DEFAULT '200 ms',
                                           attempts integer DEFAULT 20, allow_missing boolean DEFAULT false)
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
