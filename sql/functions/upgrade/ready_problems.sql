-- Says from the rows of a version what keeps it from being ready: an empty object when nothing does.
-- Shape: an object with the keys missing (absent or stale chunks), surplus (see surplus_chunks), ahead (chunks in a
-- later form than the active version's, and no work item to carry them), restored (chunks of the active version that
-- were deleted later than they were written), open_items, set_aside, index, wrong_dimensions, zero_vectors,
-- undrawn_turns and constraints.
-- Raises: PV001 (no such collection), PV002 (no such version), 42501 (row-level security would hide rows).
CREATE OR REPLACE FUNCTION pgvec.ready_problems(collection text, model_version text)
RETURNS jsonb LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    vectors CONSTANT text := pgvec.vector_schema();
    norm CONSTANT text := CASE c.storage WHEN 'vector' THEN 'vector_norm' ELSE 'l2_norm' END;
    needs_direction CONSTANT boolean := c.distance = 'cosine';
    missing bigint;
    surplus bigint;
    ahead bigint;
    restored bigint;
    undrawn_turns bigint;
    items record;
    wrong_dimensions bigint;
    zero_vectors bigint;
    constraints bigint;
BEGIN
    SELECT count(*) INTO missing FROM pgvec.missing_chunks(collection, model_version);
    SELECT count(*) INTO surplus FROM pgvec.surplus_chunks(collection, model_version);
    SELECT count(*) FILTER (WHERE u.difference = 'ahead'), count(*) FILTER (WHERE u.difference = 'undrawn')
      INTO ahead, undrawn_turns FROM pgvec.unsettled_chunks(collection, model_version) u;
    SELECT count(*) INTO restored
      FROM pgvec.model_version k CROSS JOIN LATERAL pgvec.surplus_chunks(k.collection, k.model_version) s
     WHERE k.collection = c.collection AND k.state = 'active' AND v.state <> 'active' AND s.deleted
       AND NOT EXISTS (SELECT FROM pgvec.work_item w
                        WHERE w.collection = k.collection AND w.model_version = k.model_version
                          AND ((w.lo = s.chunk_id AND w.hi = w.lo) OR w.lo <> w.hi));
    SELECT i.* INTO items FROM pgvec.item_counts(c.collection, v.model_version) i;
    EXECUTE format($query$
        SELECT count(*) FILTER (WHERE %1$I.vector_dims(t.embedding) <> $1),
               count(*) FILTER (WHERE NOT %1$I.%2$I(t.embedding) > 0)
          FROM pgvec_leaves.%3$I t
    $query$, vectors, norm, v.leaf) INTO wrong_dimensions, zero_vectors USING v.dimensions;
    SELECT count(*) INTO constraints
      FROM pg_catalog.pg_constraint k
     WHERE k.conrelid = to_regclass(format('pgvec_leaves.%I', v.leaf)) AND k.contype = 'c' AND k.convalidated
       AND k.conname IN ('pgvec_version', 'pgvec_dimensions', 'pgvec_not_zero');
    RETURN jsonb_strip_nulls(jsonb_build_object(
        'missing', nullif(missing, 0),
        'surplus', nullif(surplus, 0),
        'ahead', nullif(ahead, 0),
        'restored', nullif(restored, 0),
        'open_items', nullif(items.open, 0),
        'set_aside', nullif(items.set_aside, 0),
        'index', nullif(pgvec.index_state(v.leaf), 'valid'),
        'wrong_dimensions', nullif(wrong_dimensions, 0),
        'undrawn_turns', nullif(undrawn_turns, 0),
        'zero_vectors', CASE WHEN needs_direction THEN nullif(zero_vectors, 0) END,
        'constraints', CASE WHEN constraints < CASE WHEN needs_direction THEN 3 ELSE 2 END
                            THEN 'missing or not validated' END));
END
$$;
