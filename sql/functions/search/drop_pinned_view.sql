-- Drops a version's pinned view if it has one: the view that put_pinned_view made, whatever its name is now. It leaves
-- alone another relation that has taken the name.
-- Raises: PV001, PV002, PV004 (the view has another owner), 2BP01 (a host object depends on it), 55P03
-- (lock).
CREATE OR REPLACE FUNCTION pgvec.drop_pinned_view(collection text, model_version text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v pgvec.model_version := pgvec.get_version(collection, model_version);
BEGIN
    PERFORM pgvec.drop_own_view(collection, v.pinned_relation);
    UPDATE pgvec.model_version k SET pinned_relation = NULL
     WHERE k.collection = v.collection AND k.model_version = v.model_version AND k.pinned_relation IS NOT NULL;
END
$$;
