-- Creates the triggers of an intake: what is written through the old name is carried to every other live version, as
-- what is written to the chunk table. The row triggers came with the chunk table's.
CREATE OR REPLACE FUNCTION pgvec.create_intake_triggers(a pgvec.adoption)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format($ddl$
        CREATE TRIGGER pgvec_follow_insert AFTER INSERT ON %1$s
            REFERENCING NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION pgvec.follow_writes(%2$L);
        CREATE TRIGGER pgvec_follow_update AFTER UPDATE ON %1$s
            REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION pgvec.follow_writes(%2$L);
        CREATE TRIGGER pgvec_follow_delete AFTER DELETE ON %1$s
            REFERENCING OLD TABLE AS old_rows
            FOR EACH STATEMENT EXECUTE FUNCTION pgvec.follow_writes(%2$L);
    $ddl$, a.intake, a.collection);
    -- The table may have allowed NULL.
    EXECUTE pgvec.metadata_trigger_sql(a.intake, 'metadata');
END
$$;
