-- Makes a ready version active, in one transaction: states, routing view, events. The previous active
-- version drains from now on. Promises: all or nothing; refused while anything is missing (writers are kept out
-- while it looks); nobody waits behind it longer than lock_timeout a try.
-- Returns the label that was active before, or NULL.
-- Raises PV001, PV002, PV005 (not ready), PV006 (work open or set aside, index), PV007 (isolation), PV060 (paused), 55P03 (no lock after all attempts).
CREATE OR REPLACE FUNCTION pgvec.cut_over(collection text, model_version text, lock_timeout interval DEFAULT '200 ms', attempts integer DEFAULT 20)
RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgvec.get_version(collection, model_version);
    PERFORM pgvec.refuse_paused(collection, model_version, 'cut_over');
    RETURN pgvec.switch_active(collection, model_version, 'cut_over', false, lock_timeout, attempts);
END
$$;
