-- Makes the version that was active last active again; the present one drains. No row is rewritten:
-- it followed every write. A version that did not follow (follow_while_draining = false) must catch up first.
-- allow_missing goes back at once even so, and says in the event what was missing.
-- Returns the label that is active now. Raises PV001, PV005 (nothing to go back to), PV006 (work open), PV007 (isolation, argument), 55P03.
CREATE OR REPLACE FUNCTION pgvec.roll_back(collection text, lock_timeout interval DEFAULT '200 ms', attempts integer DEFAULT 20, allow_missing boolean DEFAULT false)
RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    back pgvec.model_version;
BEGIN
    PERFORM pgvec.check_patience(lock_timeout, attempts);
    SELECT v.* INTO back FROM pgvec.model_version v WHERE v.collection = c.collection AND v.state = 'draining' ORDER BY v.draining_at DESC LIMIT 1;
    IF NOT FOUND THEN
        PERFORM pgvec.raise_error('PV005', format('roll_back: %s has no draining version to go back to.', collection),
            jsonb_build_object('collection', collection, 'active', pgvec.active_version(collection)), 'A version that was retired is gone; register and fill a new one.');
    END IF;
    PERFORM pgvec.switch_active(collection, back.model_version, 'roll_back', allow_missing, lock_timeout, attempts);
    RETURN back.model_version;
END
$$;
