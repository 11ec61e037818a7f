-- Refuses to carry a change while row-level security applies to the chunk table's owner too (FORCE): it would hide rows
-- of other versions, so that the change would not reach them.
-- Raises: 42501.
CREATE OR REPLACE FUNCTION pgvec.refuse_forced_policies(chunk_table regclass, collection text)
RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF row_security_active(chunk_table) THEN
        PERFORM pgvec.raise_error('42501',
            format('row-level security of %s applies to its owner %s too (FORCE): '
                   'this change would not reach every version.', chunk_table, current_user),
            jsonb_build_object('collection', collection, 'owner', current_user),
            format('Ask a superuser to run: ALTER ROLE %I BYPASSRLS;', current_user));
    END IF;
END
$$;
