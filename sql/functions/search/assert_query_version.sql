-- The guard in every view: true, or an error. A row of one version is never compared with another version's query.
-- It compares with the setting pgvec.query_version.<collection>:
--   equal            true
--   'any'            true: this session compares no vectors
--   another version  PV011
--   not set          PV012, unless the collection does not require it or the view is pinned (its name says the version)
-- Raises: PV011, PV012, PV051 (row-level security applies, and that of the leaf is not that of the chunk table), 42501
-- (no recorded grant), 40001 (the snapshot is older than the state that this view was made for: it may see the leaf
-- empty).
-- Why stable with constant arguments: PostgreSQL calls it once a query, as a One-Time Filter, not once a row.
CREATE OR REPLACE FUNCTION pgvec.assert_query_version(collection text, model_version text, pinned boolean DEFAULT false)
RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    declared CONSTANT text := nullif(current_setting('pgvec.query_version.' || collection, true), '');
    state text;
    doubtful boolean;
BEGIN
    SELECT k.state, (row_security_active(k.chunk_relation) OR row_security_active(k.leaf_relation))
                        IS DISTINCT FROM false
                    AND (row_security_active(k.chunk_relation) <> row_security_active(k.leaf_relation)
                         OR pgvec.policy_mark(k.chunk_relation, k.leaf_relation) IS DISTINCT FROM k.policy_mark)
      INTO state, doubtful
      FROM pgvec.model_version k
     WHERE k.collection = assert_query_version.collection AND k.model_version = assert_query_version.model_version;
    IF state IS NULL AND row_security_active('pgvec.model_version')
       AND current_setting('transaction_isolation') = 'read committed' THEN
        -- A view that somebody granted by hand: the catalog shows its rows only to roles with a recorded grant.
        RAISE EXCEPTION USING ERRCODE = '42501',
            MESSAGE = format('%s has no recorded grant on %s.', current_user, collection),
            DETAIL = jsonb_build_object('collection', collection, 'role', current_user)::text,
            HINT = format('Ask the owner of the collection to run: SELECT pgvec.grant_read(%L, %L);',
                          collection, quote_ident(current_user));
    END IF;
    IF state IS NULL OR (state <> 'active' AND NOT (pinned AND state IN ('ready', 'draining'))) THEN
        RAISE EXCEPTION USING ERRCODE = '40001',
            MESSAGE = format('this transaction began before %s of %s was %s: its snapshot does not show that version '
                             'whole.', model_version, collection, CASE WHEN pinned THEN 'ready' ELSE 'active' END),
            DETAIL = jsonb_build_object('collection', collection, 'model_version', model_version)::text,
            HINT = 'Run the transaction again.';
    END IF;
    IF doubtful IS DISTINCT FROM false THEN
        PERFORM pgvec.raise_error(r.code, r.message, r.detail, r.hint)
           FROM pgvec.refuse_other_policies(collection, model_version) r;
    END IF;
    IF declared = model_version OR declared = 'any' THEN
        RETURN true;
    END IF;
    IF declared IS NULL THEN
        IF pinned OR NOT (SELECT c.require_query_version FROM pgvec.collection c
                           WHERE c.collection = assert_query_version.collection) THEN
            RETURN true;
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'PV012',
            MESSAGE = format('this session did not say which model version made its query vector; %s is on %s.',
                             collection, model_version),
            DETAIL = jsonb_build_object('collection', collection, 'active', model_version,
                                        'query_version', NULL)::text,
            HINT = format('If %1$s made it: SET pgvec.query_version.%2$I = %1$L; (SET LOCAL in a transaction). '
                          'If no vectors are compared: SET pgvec.query_version.%2$I = ''any'';',
                          model_version, collection);
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'PV011',
        MESSAGE = format('the query vector is of %s, the rows are of %s: they cannot be compared.',
                         declared, model_version),
        DETAIL = jsonb_build_object('collection', collection, 'active',
                                    CASE WHEN pinned THEN NULL ELSE model_version END,
                                    'model_version', model_version, 'query_version', declared)::text,
        HINT = format('Embed the query with %s and declare it, or read the version %s by its pinned view or '
                      'pgvec.nearest.', model_version, declared);
END
$$;
