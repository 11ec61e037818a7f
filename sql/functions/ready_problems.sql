-- Everything that stands between a version and ready, from its rows: an empty object when nothing does.
-- Keys: missing (absent or stale chunks), surplus (chunks that the active version does not have), open_items,
-- set_aside, index, wrong_dimensions, zero_vectors, constraints. Raises PV001, PV002, 42501 (row-level security).
CREATE OR REPLACE FUNCTION pgvec.ready_problems(collection text, model_version text)
RETURNS jsonb LANGUAGE plpgsql STABLE SET row_security = off AS $$
DECLARE
    c pgvec.collection := pgvec.get_collection(collection);
    v pgvec.model_version := pgvec.get_version(collection, model_version);
    active pgvec.model_version;
    missing bigint;
    surplus bigint := 0;
    doomed bigint := 0;
    open_items bigint;
    set_aside bigint;
    wrong_dimensions bigint;
    zero_vectors bigint;
    constraints bigint;
BEGIN
    SELECT count(*) INTO missing FROM pgvec.missing_chunks(collection, model_version);
    SELECT o.* INTO active FROM pgvec.model_version o WHERE o.collection = c.collection AND o.state = 'active' AND o.model_version <> v.model_version;
    IF FOUND THEN
        -- What is on its way to the active version, from wherever, is no surplus.
        EXECUTE format('SELECT count(*) FROM pgvec_leaves.%1$I t WHERE NOT EXISTS (SELECT FROM pgvec_leaves.%2$I s WHERE s.chunk_id = t.chunk_id) '
                       'AND NOT EXISTS (SELECT FROM pgvec.work_item w JOIN %3$s o ON o.model_version = w.source_version WHERE w.collection = %4$L AND w.model_version = %5$L '
                       'AND t.chunk_id BETWEEN w.lo::%6$s AND w.hi::%6$s AND o.chunk_id = t.chunk_id)',
                       v.leaf, active.leaf, pgvec.chunk_table(collection), c.collection, active.model_version, c.id_type) INTO surplus;
        -- So is what the active version has only until a delete that was put off reaches it.
        EXECUTE format('SELECT count(DISTINCT t.chunk_id) FROM pgvec.work_item w JOIN pgvec_leaves.%1$I t ON t.chunk_id = w.lo::%2$s JOIN pgvec_leaves.%3$I a ON a.chunk_id = t.chunk_id '
                       'WHERE w.collection = %4$L AND w.model_version = %5$L AND w.source_version <> %6$L AND w.lo = w.hi AND t.written_at <= w.written_at '
                       'AND NOT EXISTS (SELECT FROM %7$s s WHERE s.model_version = w.source_version AND s.chunk_id = t.chunk_id)',
                       v.leaf, c.id_type, active.leaf, c.collection, active.model_version, v.model_version, pgvec.chunk_table(collection)) INTO doomed;
    END IF;
    SELECT count(*) FILTER (WHERE w.set_aside_at IS NULL), count(*) FILTER (WHERE w.set_aside_at IS NOT NULL) INTO open_items, set_aside
      FROM pgvec.work_item w WHERE w.collection = c.collection AND w.model_version = v.model_version;
    EXECUTE format('SELECT count(*) FILTER (WHERE %1$I.vector_dims(t.embedding) <> %2$s), count(*) FILTER (WHERE NOT %1$I.%3$I(t.embedding) > 0) FROM pgvec_leaves.%4$I t',
                   pgvec.vector_schema(), v.dimensions, CASE c.storage WHEN 'vector' THEN 'vector_norm' ELSE 'l2_norm' END, v.leaf) INTO wrong_dimensions, zero_vectors;
    SELECT count(*) INTO constraints FROM pg_catalog.pg_constraint k
     WHERE k.conrelid = to_regclass(format('pgvec_leaves.%I', v.leaf)) AND k.contype = 'c' AND k.convalidated AND k.conname IN ('pgvec_version', 'pgvec_dimensions', 'pgvec_not_zero');
    RETURN jsonb_strip_nulls(jsonb_build_object(
        'missing', nullif(missing, 0), 'surplus', nullif(surplus + doomed, 0), 'open_items', nullif(open_items, 0), 'set_aside', nullif(set_aside, 0),
        'index', nullif(pgvec.index_state(v.leaf), 'valid'), 'wrong_dimensions', nullif(wrong_dimensions, 0),
        'zero_vectors', CASE WHEN c.distance = 'cosine' THEN nullif(zero_vectors, 0) END,
        'constraints', CASE WHEN constraints < CASE WHEN c.distance = 'cosine' THEN 3 ELSE 2 END THEN 'missing or not validated' END));
END
$$;
