-- Refuses a view of a collection that has another owner than the current role and the owner of the chunk table. Does
-- nothing for NULL.
-- Raises: PV004.
CREATE OR REPLACE FUNCTION pgvec.refuse_foreign_owner(collection text, view regclass)
RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    owner CONSTANT name := (SELECT pg_get_userbyid(t.relowner) FROM pg_catalog.pg_class t WHERE t.oid = view);
BEGIN
    IF owner <> current_user
       AND owner IS DISTINCT FROM (SELECT pg_get_userbyid(t.relowner) FROM pg_catalog.pg_class t
                                    WHERE t.oid = (pgvec.get_collection(collection)).chunk_table) THEN
        PERFORM pgvec.raise_error('PV004',
            format('the view %s belongs to %s, not to the owner of the chunk table of %s.', view, owner, collection),
            jsonb_build_object('collection', collection, 'relation', view::text, 'owner', owner),
            format('ALTER VIEW %s OWNER TO …, or have %s drop it.', view, owner));
    END IF;
END
$$;
