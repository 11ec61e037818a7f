-- The rules of retirement, in one place: why a version must not go now, or NULLs when it may. Takes no locks, so
-- pgvec.retire_version asks again under its own.
-- The reasons, in this order: those of pgvec.refuse_early_retirement, those of pgvec.refuse_removal, 'not exported'
-- (the collection's settings ask for a file first), 'still read'.
-- Arguments:
--   ignore_readers   'still read' is no reason to stay
-- Raises: PV001, PV002.
CREATE OR REPLACE FUNCTION pgvec.refuse_retirement(collection text, model_version text,
                                                   ignore_readers boolean DEFAULT false,
                                                   OUT reason text, OUT detail text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    settings pgvec.retirement_setting := pgvec.retirement_settings(collection);
BEGIN
    SELECT r.reason, r.detail INTO reason, detail FROM pgvec.refuse_early_retirement(collection, model_version) r;
    IF reason IS NOT NULL THEN
        RETURN;
    END IF;
    SELECT r.reason, r.detail INTO reason, detail FROM pgvec.refuse_removal(collection, model_version) r;
    -- Nobody exports or reads an abandoned version: it was never active, and its pinned view is gone.
    IF reason IS NOT NULL OR v.state = 'abandoned' THEN
        RETURN;
    END IF;
    IF settings.on_retire = 'export'
       AND NOT EXISTS (SELECT FROM pgvec.archive a
                        WHERE a.collection = v.collection AND a.model_version = v.model_version
                          AND a.kind = 'file' AND a.archived_at > v.draining_at) THEN
        reason := 'not exported';
        RETURN;
    END IF;
    IF NOT ignore_readers AND settings.read_window > interval '0' THEN
        SELECT 'still read', format('%s, last at %s', r.evidence, r.read_at) INTO reason, detail
          FROM pgvec.last_read(collection, model_version) r
         WHERE r.read_at > clock_timestamp() - settings.read_window;
    END IF;
END
$$;
