-- For plan_backfill: where two versions hold different rows with the same turn, somebody wrote around the triggers. The
-- source's row takes a new turn, so that it is later and is carried like any other write.
-- Raises: 42501 (row-level security would hide rows).
CREATE OR REPLACE FUNCTION pgvec.settle_equal_turns(c pgvec.collection, source pgvec.model_version,
                                                    target pgvec.model_version)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
BEGIN
    EXECUTE format('UPDATE pgvec_leaves.%I k SET turn = nextval(''pgvec.turn'') '
                   'FROM %s s JOIN %s t ON t.chunk_id = s.chunk_id AND t.turn = s.turn AND t.digest <> s.digest '
                   'WHERE k.chunk_id = s.chunk_id AND k.turn = s.turn',
                   source.leaf, pgvec.digests_sql(c.chunk_table, source.leaf),
                   pgvec.digests_sql(c.chunk_table, target.leaf));
END
$$;
