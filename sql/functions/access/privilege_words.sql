-- Who may do what: the only place where it stands. apply_grants, revoke_grant and doctor read it.
-- Shape: a row says that a privilege gives a word on a part of a collection; the parts are those of
-- pgvec.privilege_objects. A word that is not given is only taken back, where it was given before.
CREATE OR REPLACE FUNCTION pgvec.privilege_words()
RETURNS TABLE (privilege text, part text, word text, given boolean)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH word (privileges, parts, words, given) AS (VALUES
        ('read write worker', 'schema', 'USAGE', true),
        ('read write worker', 'catalog', 'SELECT', true),
        ('read', 'view, leaf', 'SELECT', true),
        -- A leaf that was shown and is hidden now.
        ('read', 'hidden leaf', 'SELECT', false),
        ('write', 'chunks', 'SELECT, INSERT, UPDATE, DELETE', true),
        ('write', 'ids', 'USAGE', true),
        ('write', 'writers'' door', 'EXECUTE', true),
        ('worker', 'workers'' door', 'EXECUTE', true),
        -- It reads the texts with its own rights, so that policies hold it too; what it makes goes in by the lease.
        ('worker', 'leaf, hidden leaf', 'SELECT', true)
    ), call (privileges, functions) AS (VALUES
        ('read write worker', 'raise_error, get_collection, get_version, active_version, vector_schema'),
        -- The guard, nearest, and what pgvec.version_status asks: that view is for the owner and whom he shows it.
        ('read', 'assert_query_version, nearest, route_query, refuse_unready_version, check_query, rank_by_index, '
                 'rank_exactly, filter_sql, condition_sql, limit_filter, refuse_other_policies, policies_of, '
                 'policy_mark, chunk_table, leaf_status, missing_chunks, reference_versions, index_state, index_mark, '
                 'estimate_size'),
        ('write', 'ask_door, waiting_changes, free_versions, chunk_table'),
        ('worker', 'ask_door, claim_work, read_work, complete_work, renew_work, release_work, postpone_work, '
                   'fail_work, retry_set_aside, queue_counts, record_fingerprint, leased_items, complete_lease')
    )
    SELECT p, t, w, v.given
      FROM word v, string_to_table(v.privileges, ' ') p, string_to_table(v.parts, ', ') t,
           string_to_table(v.words, ', ') w
    UNION ALL
    SELECT p, 'function ' || f, 'EXECUTE', true
      FROM call c, string_to_table(c.privileges, ' ') p, string_to_table(c.functions, ', ') f;
$$;
