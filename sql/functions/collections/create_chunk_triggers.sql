-- Creates the triggers of a new chunk table: they keep labels and turns, and carry writes to every live version.
CREATE OR REPLACE FUNCTION pgvec.create_chunk_triggers(c pgvec.collection)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format($ddl$
        CREATE OR REPLACE TRIGGER pgvec_check_label BEFORE UPDATE ON %1$s FOR EACH ROW
            WHEN (NEW.model_version IS DISTINCT FROM OLD.model_version) EXECUTE FUNCTION pgvec.refuse_relabel();
        CREATE OR REPLACE TRIGGER pgvec_take_turn BEFORE INSERT ON %1$s FOR EACH ROW
            WHEN (NEW.turn = 0) EXECUTE FUNCTION pgvec.take_turn();
        -- What carries a change sets the turn of the row that it copies, which always differs.
        CREATE OR REPLACE TRIGGER pgvec_check_update BEFORE UPDATE ON %1$s FOR EACH ROW
            WHEN (NEW.turn = OLD.turn) EXECUTE FUNCTION pgvec.check_chunk_update();
        CREATE OR REPLACE TRIGGER pgvec_follow_insert AFTER INSERT ON %1$s
            REFERENCING NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION pgvec.follow_writes(%2$L);
        CREATE OR REPLACE TRIGGER pgvec_follow_update AFTER UPDATE ON %1$s
            REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION pgvec.follow_writes(%2$L);
        CREATE OR REPLACE TRIGGER pgvec_follow_delete AFTER DELETE ON %1$s
            REFERENCING OLD TABLE AS old_rows
            FOR EACH STATEMENT EXECUTE FUNCTION pgvec.follow_writes(%2$L);
    $ddl$, c.chunk_table, c.collection);
END
$$;
