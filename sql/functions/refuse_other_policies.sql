-- Promise: nothing is read through a leaf whose row-level security is not that of the chunk table. The host alters the
-- policies of the chunk table alone; until pgvec.refresh_collection has copied them, this refuses.
-- Raises PV051.
CREATE OR REPLACE FUNCTION pgvec.refuse_other_policies(collection text, model_version text)
RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v CONSTANT pgvec.model_version := pgvec.get_version(collection, model_version);
BEGIN
    IF pgvec.policies_of(pgvec.chunk_table(collection)) IS DISTINCT FROM pgvec.policies_of(format('pgvec_leaves.%I', v.leaf)::regclass) THEN
        PERFORM pgvec.raise_error('PV051',
            format('the row-level security of %s changed, and version %s does not have it yet: nothing is read.', collection, model_version),
            jsonb_build_object('collection', collection, 'model_version', model_version),
            format('The owner of the collection runs: SELECT pgvec.refresh_collection(%L);', collection));
    END IF;
END
$$;
