-- Finds the leaf that answers queries of a version, and how to compare vectors in it; the first step of pgvec.nearest.
-- Arguments:
--   expect_active  refuse every version but the active one
-- Returns what the next steps need. vectors: the schema of pgvector, quoted. operator: its operator for the
-- collection's distance, with the schema. secured: row-level security applies to the caller. doubtful: it does, and the
-- policies of the leaf may differ from those of the chunk table.
-- Raises: PV001, PV002, PV011 (the session declared another version; not the active version), PV013 (the version is
-- neither ready, active nor draining), 40001 (the snapshot is too old to show the version).
CREATE OR REPLACE FUNCTION pgvec.route_query(collection text, query_version text, expect_active boolean,
                                             OUT leaf text, OUT dimensions integer, OUT storage text, OUT distance text,
                                             OUT vectors text, OUT operator text, OUT secured boolean,
                                             OUT doubtful boolean, OUT index_kind text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    declared CONSTANT text := nullif(current_setting('pgvec.query_version.' || collection, true), '');
    state text;
    active text;
BEGIN
    SELECT v.state, v.leaf, v.dimensions, v.index_kind, c.storage, c.distance, quote_ident(n.nspname),
           format('OPERATOR(%I.%s)', n.nspname,
                  CASE c.distance WHEN 'cosine' THEN '<=>' WHEN 'l2' THEN '<->' ELSE '<#>' END),
           s.secured,
           s.secured AND (s.alike IS NOT TRUE
                          OR pgvec.policy_mark(v.chunk_relation, v.leaf_relation) IS DISTINCT FROM v.policy_mark)
      INTO state, leaf, dimensions, index_kind, storage, distance, vectors, operator, secured, doubtful
      FROM pgvec.model_version v JOIN pgvec.collection c ON c.collection = v.collection
     CROSS JOIN LATERAL (VALUES (
               (row_security_active(v.chunk_relation) OR row_security_active(v.leaf_relation)) IS DISTINCT FROM false,
               row_security_active(v.chunk_relation) = row_security_active(v.leaf_relation))) s (secured, alike)
     CROSS JOIN pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
     WHERE v.collection = route_query.collection AND v.model_version = query_version AND e.extname = 'vector';
    IF NOT FOUND THEN
        PERFORM pgvec.get_version(collection, query_version);
    END IF;
    IF declared IS NOT NULL AND declared <> 'any' AND declared <> query_version THEN
        PERFORM pgvec.raise_error('PV011',
            format('this session declared %s, the query vector is said to be of %s: they cannot both be true.',
                   declared, query_version),
            jsonb_build_object('collection', collection, 'query_version', query_version, 'declared', declared),
            format('SET pgvec.query_version.%I = %L; if that version made the vector.', collection, query_version));
    END IF;
    IF state NOT IN ('ready', 'active', 'draining') THEN
        PERFORM pgvec.refuse_unready_version(collection, query_version);
    END IF;
    IF expect_active AND state <> 'active' THEN
        active := pgvec.active_version(collection);
        PERFORM pgvec.raise_error('PV011',
            format('the query vector is of %s, %s is on %s: they cannot be compared.',
                   query_version, collection, active),
            jsonb_build_object('collection', collection, 'query_version', query_version, 'active', active),
            format('Embed the query with %s.', active));
    END IF;
END
$$;
