-- Lists our triggers that the chunk table of a collection, or the leaf of this version, no longer has.
-- Raises: PV001 (no such collection), PV002 (no such version).
CREATE OR REPLACE FUNCTION pgvec.dropped_triggers(collection text, model_version text)
RETURNS SETOF text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT d.name
      FROM pgvec.get_version($1, $2) v JOIN pgvec.collection c ON c.collection = v.collection
     CROSS JOIN LATERAL (VALUES
               ('pgvec_check_label', c.chunk_table), ('pgvec_take_turn', c.chunk_table),
               ('pgvec_check_update', c.chunk_table), ('pgvec_follow_insert', c.chunk_table),
               ('pgvec_follow_update', c.chunk_table), ('pgvec_follow_delete', c.chunk_table),
               ('pgvec_refuse_truncate', v.leaf_relation)) d (name, relation)
     WHERE NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = d.relation AND g.tgname = d.name);
$$;
