-- Lists our triggers that a chunk table, or one of its leaves, no longer has.
CREATE OR REPLACE FUNCTION pgvec.dropped_triggers(chunk_table regclass, leaf regclass)
RETURNS SETOF text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT d.name
      FROM (VALUES ('pgvec_check_label', $1), ('pgvec_take_turn', $1), ('pgvec_check_update', $1),
                   ('pgvec_follow_insert', $1), ('pgvec_follow_update', $1), ('pgvec_follow_delete', $1),
                   ('pgvec_refuse_truncate', $2)) d (name, relation)
     WHERE NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = d.relation AND g.tgname = d.name);
$$;
