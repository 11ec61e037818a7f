-- Everything that stands between a version and ready, from its rows: an empty object when nothing does.
-- Keys: missing (absent or stale chunks), surplus (see surplus_chunks), open_items,
-- set_aside, index, wrong_dimensions, zero_vectors, constraints. Raises PV001, PV002, 42501 (row-level security).
CREATE OR REPLACE FUNCTION pgvec.ready_problems(collection text, model_version text)
RETURNS jsonb LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    missing bigint;
    surplus bigint;
    open_items bigint;
    set_aside bigint;
    wrong_dimensions bigint;
    zero_vectors bigint;
    constraints bigint;
BEGIN
    SELECT count(*) INTO missing FROM pgvec.missing_chunks(collection, model_version);
    SELECT count(*) INTO surplus FROM pgvec.surplus_chunks(collection, model_version);
    SELECT count(*) FILTER (WHERE w.set_aside_at IS NULL), count(*) FILTER (WHERE w.set_aside_at IS NOT NULL) INTO open_items, set_aside
      FROM pgvec.work_item w WHERE w.collection = c.collection AND w.model_version = v.model_version;
    EXECUTE format('SELECT count(*) FILTER (WHERE %1$I.vector_dims(t.embedding) <> %2$s), count(*) FILTER (WHERE NOT %1$I.%3$I(t.embedding) > 0) FROM pgvec_leaves.%4$I t',
                   pgvec.vector_schema(), v.dimensions, CASE c.storage WHEN 'vector' THEN 'vector_norm' ELSE 'l2_norm' END, v.leaf) INTO wrong_dimensions, zero_vectors;
    SELECT count(*) INTO constraints FROM pg_catalog.pg_constraint k
     WHERE k.conrelid = to_regclass(format('pgvec_leaves.%I', v.leaf)) AND k.contype = 'c' AND k.convalidated AND k.conname IN ('pgvec_version', 'pgvec_dimensions', 'pgvec_not_zero');
    RETURN jsonb_strip_nulls(jsonb_build_object(
        'missing', nullif(missing, 0), 'surplus', nullif(surplus, 0), 'open_items', nullif(open_items, 0), 'set_aside', nullif(set_aside, 0),
        'index', nullif(pgvec.index_state(v.leaf), 'valid'), 'wrong_dimensions', nullif(wrong_dimensions, 0),
        'zero_vectors', CASE WHEN c.distance = 'cosine' THEN nullif(zero_vectors, 0) END,
        'constraints', CASE WHEN constraints < CASE WHEN c.distance = 'cosine' THEN 3 ELSE 2 END THEN 'missing or not validated' END));
END
$$;
