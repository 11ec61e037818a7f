-- For plan_backfill: where two versions hold different rows with the same turn, somebody wrote around the triggers. The
-- source's row takes a new turn, so that it is later and is carried like any other write.
-- Raises: 42501 (row-level security would hide rows).
CREATE OR REPLACE FUNCTION pgvec.settle_equal_turns(c pgvec.collection, source pgvec.model_version,
                                                    target pgvec.model_version)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
BEGIN
    EXECUTE format('UPDATE pgvec_leaves.%I s SET turn = nextval(''pgvec.turn'') FROM pgvec_leaves.%I t '
                   'WHERE t.chunk_id = s.chunk_id AND t.turn = s.turn AND %s',
                   source.leaf, target.leaf, pgvec.differing_sql(c.chunk_table, 's', 't'));
END
$$;
