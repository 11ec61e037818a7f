-- Why roll_back would refuse, in its order: no version drains, the transaction's isolation level, then what
-- refuse_switch finds.
-- Arguments:
--   model_version  the version to go back to; by default pgvec.previous_version. No row if it is active already.
-- Raises: PV001 (no such collection), PV002 (no such version).
CREATE OR REPLACE FUNCTION pgvec.refuse_roll_back(collection text, model_version text DEFAULT NULL,
                                                  allow_missing boolean DEFAULT false)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'PV005', format('roll_back: %s has no draining version to go back to.', c.collection),
           jsonb_build_object('collection', c.collection, 'active', pgvec.active_version(c.collection)),
           'A version that was retired is gone; register and fill a new one.'
      FROM pgvec.get_collection($1) c WHERE coalesce($2, pgvec.previous_version(c.collection)) IS NULL
    UNION ALL
    SELECT r.* FROM coalesce($2, pgvec.previous_version($1)) b (label)
     CROSS JOIN LATERAL (SELECT * FROM pgvec.refuse_isolation($1, b.label, 'roll_back')
                         UNION ALL
                         SELECT * FROM pgvec.refuse_switch($1, b.label, 'roll_back', $3)) r
     WHERE b.label IS DISTINCT FROM pgvec.active_version($1) AND b.label IS NOT NULL;
$$;
