-- Makes a draining version active again; the present one drains. No row is rewritten, because the version has followed
-- every write. A version that has not (follow_while_draining = false) must catch up first.
-- Arguments:
--   model_version  the version to go back to. If it is active already, nothing happens, so you can repeat a call whose
--                  answer was lost. By default the version that was active last: a second such call goes forward again.
--   allow_missing  go back at once although something is missing; the event says what was missing
-- Returns the label that is active now.
-- Raises: PV001 (no such collection), PV002 (no such version), PV005 (no version to go back to), PV006 (work open),
-- PV007 (isolation), 55P03 (no lock after all attempts).
CREATE OR REPLACE FUNCTION pgvec.roll_back(collection text, model_version text DEFAULT NULL,
                                           lock_timeout interval DEFAULT '200 ms', attempts integer DEFAULT 20,
                                           allow_missing boolean DEFAULT false)
RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    back CONSTANT text := coalesce(model_version, pgvec.previous_version(collection));
BEGIN
    PERFORM pgvec.check_patience(lock_timeout, attempts);
    IF back IS NULL THEN
        PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint) FROM pgvec.refuse_roll_back(collection) r;
    END IF;
    IF back = pgvec.active_version(collection) THEN
        RETURN back;
    END IF;
    PERFORM pgvec.switch_active(c.collection, back, 'roll_back', allow_missing, lock_timeout, attempts);
    RETURN back;
EXCEPTION WHEN SQLSTATE 'PV005' THEN
    -- Another session may have rolled back to the same version while this one waited for its locks.
    IF model_version = pgvec.active_version(collection) THEN
        RETURN model_version;
    END IF;
    RAISE;
END
$$;
