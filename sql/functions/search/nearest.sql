-- The k chunks nearest to a query vector, among those of the very version that made it. Routes to the
-- leaf of query_version if it is ready, active or draining. A session that declared another version with
-- pgvec.query_version.<collection> is refused.
--   filter        jsonb that the metadata must contain (@>)
--   conditions    jsonb array of {"key", "op", "value"}; op: = <> < <= > >= in exists; typed, keys and values quoted
--   ef_search     1 to 1000; by default the session's, and never less than k
--   exact         without the index: the truth, for checks
--   expect_active PV011 unless query_version is the active version
-- Behind a filter or row-level security the index is asked for half as many rows again, of which the nearest k stay; where
-- it does not come up with k rows, the rows are ranked exactly instead.
-- Shape: at most k rows, nearest first. Units: distance is pgvector's own (<=>, <-> or <#>).
-- Raises PV001, PV002, PV007, PV011, PV013, PV015 (dimensions, zero vector, out of range), PV051
-- (row-level security changed), 40001.
CREATE OR REPLACE FUNCTION pgvec.nearest(collection text, query vector, query_version text, k integer DEFAULT 10, filter jsonb DEFAULT NULL,
                                         ef_search integer DEFAULT NULL, exact boolean DEFAULT false, expect_active boolean DEFAULT false, conditions jsonb DEFAULT NULL)
RETURNS TABLE (chunk_id text, document_id text, content text, metadata jsonb, model_version text, distance float8)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v record;
    vectors text;
    declared CONSTANT text := nullif(current_setting('pgvec.query_version.' || collection, true), '');
    old_ef text;
    old_scan text;
    old_jit text;
    active text;
    op text;
    ranked text;
    condition text;
    given integer;
    is_zero boolean;
    hits refcursor;
    came integer;
    taken bigint := k;
    statement text;
    filtered boolean;
BEGIN
    SELECT m.model_version, m.state, m.leaf, m.dimensions, m.pinned_view, c.host_schema, c.storage,
           CASE c.distance WHEN 'cosine' THEN '<=>' WHEN 'l2' THEN '<->' ELSE '<#>' END AS op, c.distance AS measure, n.nspname AS vectors,
           (row_security_active(m.chunk_relation) OR row_security_active(m.leaf_relation)) IS DISTINCT FROM false AS secured,
           row_security_active(m.chunk_relation) = row_security_active(m.leaf_relation) AS alike, m.policy_mark, m.chunk_relation, m.leaf_relation
      INTO v
      FROM pgvec.model_version m JOIN pgvec.collection c ON c.collection = m.collection,
           pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
     WHERE m.collection = nearest.collection AND m.model_version = nearest.query_version AND e.extname = 'vector';
    IF NOT FOUND THEN
        PERFORM pgvec.get_version(collection, query_version);
    END IF;
    IF declared IS NOT NULL AND declared <> 'any' AND declared <> query_version THEN
        PERFORM pgvec.raise_error('PV011', format('this session declared %s, the query vector is said to be of %s: they cannot both be true.', declared, query_version),
            jsonb_build_object('collection', collection, 'query_version', query_version, 'declared', declared),
            format('SET pgvec.query_version.%I = %L; if that version made the vector.', collection, query_version));
    END IF;
    IF v.state NOT IN ('ready', 'active', 'draining') THEN
        IF to_regclass(format('%I.%I', v.host_schema, v.pinned_view)) IS NOT NULL THEN
            -- What the catalog shows to this snapshot is older than what stands there now.
            PERFORM pgvec.raise_error('40001', format('this transaction began before %s of %s was ready: its snapshot does not show that version whole.', query_version, collection),
                jsonb_build_object('collection', collection, 'model_version', query_version), 'Run the transaction again.');
        END IF;
        PERFORM pgvec.raise_error('PV013', format('version %s of %s is %s: it answers no queries.', query_version, collection, v.state),
            jsonb_build_object('collection', collection, 'query_version', query_version, 'state', v.state, 'active', pgvec.active_version(collection)),
            coalesce(format('Embed the query with the active version, %s.', pgvec.active_version(collection)), 'No version is active yet.'));
    END IF;
    IF expect_active AND v.state <> 'active' THEN
        active := pgvec.active_version(collection);
        PERFORM pgvec.raise_error('PV011', format('the query vector is of %s, %s is on %s: they cannot be compared.', query_version, collection, active),
            jsonb_build_object('collection', collection, 'query_version', query_version, 'active', active), format('Embed the query with %s.', active));
    END IF;
    IF k IS NULL OR k < 1 THEN
        PERFORM pgvec.raise_error('PV007', 'k must be 1 or more.', jsonb_build_object('k', k));
    END IF;
    IF ef_search IS NOT NULL AND ef_search NOT BETWEEN 1 AND 1000 THEN
        PERFORM pgvec.raise_error('PV007', 'ef_search must be 1 to 1000.', jsonb_build_object('ef_search', ef_search));
    END IF;
    IF query IS NULL THEN
        PERFORM pgvec.raise_error('PV015', 'the query vector is NULL.', jsonb_build_object('collection', collection));
    END IF;
    vectors := quote_ident(v.vectors);
    EXECUTE format('SELECT %1$s.vector_dims($1), %1$s.%2$I($1::%1$s.%3$I) = 0', vectors, CASE v.storage WHEN 'vector' THEN 'vector_norm' ELSE 'l2_norm' END, v.storage)
       INTO given, is_zero USING query;
    IF given <> v.dimensions THEN
        PERFORM pgvec.raise_error('PV015', format('the query vector has %s dimensions, version %s of %s has %s.', given, query_version, collection, v.dimensions),
            jsonb_build_object('collection', collection, 'query_version', query_version, 'given', given, 'needed', v.dimensions), 'Was it made by another model?');
    END IF;
    IF v.measure = 'cosine' AND is_zero THEN
        PERFORM pgvec.raise_error('PV015', format('the query vector is all zeros as %s: it has no direction to compare.', v.storage), jsonb_build_object('collection', collection));
    END IF;

    IF v.secured AND (v.alike IS DISTINCT FROM true OR pgvec.policy_mark(v.chunk_relation, v.leaf_relation) IS DISTINCT FROM v.policy_mark) THEN
        PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
           FROM pgvec.refuse_other_policies(collection, query_version) r;
    END IF;
    condition := pgvec.filter_sql(filter, conditions);
    filtered := condition <> '' OR v.secured;
    op := format('OPERATOR(%s.%s)', vectors, v.op);
    -- Exact: the bare column matches no index.
    ranked := format('SELECT chunk_id, document_id, content, metadata, model_version, (embedding %1$s $1::%2$s.%3$I)::float8 AS distance FROM pgvec_leaves.%4$I WHERE model_version = %5$L%6$s',
                     op, vectors, v.storage, v.leaf, v.model_version, condition);
    IF exact THEN
        RETURN QUERY SELECT * FROM pgvec.rank_exactly(ranked, query, k);
        RETURN;
    END IF;
    old_ef := current_setting('hnsw.ef_search');
    old_scan := current_setting('hnsw.iterative_scan');
    old_jit := current_setting('jit');
    statement := format('SELECT chunk_id%8$s, document_id, content, metadata, model_version, ((embedding::%2$s.%3$I(%7$s)) %1$s $1::%2$s.%3$I(%7$s))::float8 AS distance '
                        'FROM pgvec_leaves.%4$I WHERE model_version = %5$L%6$s ORDER BY (embedding::%2$s.%3$I(%7$s)) %1$s $1::%2$s.%3$I(%7$s) LIMIT $3',
                        op, vectors, v.storage, v.leaf, v.model_version, condition, v.dimensions, CASE WHEN filtered THEN '' ELSE '::text' END);
    IF filtered THEN
        -- The index goes on past its first candidates, and what it finds there comes out of order: half as many rows again
        -- are taken, and the nearest of them put in order. (+ 0, or the planner takes them to be in order already.)
        statement := format('SELECT chunk_id::text, document_id, content, metadata, model_version, distance FROM (%s) d ORDER BY distance + 0, d.chunk_id LIMIT $2', statement);
        taken := k + (k::bigint + 1) / 2;
    END IF;
    -- A filter's cost can have the planner compile the statement, which takes longer than to run it.
    PERFORM set_config('jit', 'off', true), set_config('hnsw.ef_search', coalesce(ef_search, least(1000, greatest(old_ef::integer, k)))::text, true),
            set_config('hnsw.iterative_scan', CASE WHEN filtered THEN 'relaxed_order' ELSE 'strict_order' END, true);
    -- A cursor, because rows that a function has returned cannot be taken back when they turn out to be too few; one statement
    -- that holds both ways takes twice as long to plan.
    OPEN hits SCROLL FOR EXECUTE statement USING query, k, taken;
    MOVE FORWARD ALL IN hits;
    GET DIAGNOSTICS came = ROW_COUNT;
    IF came < k THEN
        RETURN QUERY SELECT * FROM pgvec.rank_exactly(ranked, query, k);
    ELSE
        MOVE ABSOLUTE 0 IN hits;
        FOR i IN 1..k LOOP
            FETCH hits INTO chunk_id, document_id, content, metadata, model_version, distance;
            RETURN NEXT;
        END LOOP;
    END IF;
    CLOSE hits;
    PERFORM set_config('hnsw.ef_search', old_ef, true), set_config('hnsw.iterative_scan', old_scan, true), set_config('jit', old_jit, true);
EXCEPTION
    WHEN numeric_value_out_of_range THEN
        PERFORM pgvec.raise_error('PV015', format('the query vector does not fit into %s: %s.', v.storage, SQLERRM), jsonb_build_object('collection', collection));
    WHEN undefined_table THEN
        PERFORM pgvec.raise_error('PV013', format('version %s of %s was retired just now: it answers no queries.', query_version, collection),
            jsonb_build_object('collection', collection, 'query_version', query_version, 'state', 'retired'), 'Embed the query with the active version.');
END
$$;
