-- Which privilege allows what: the one list that grants, revokes and doctor read.
-- Shape: each row says that a privilege gives a word, such as SELECT, on a part of a collection. The parts are those of
-- pgvec.privilege_objects. A word with given = false is only revoked, where a role still has it from earlier.
CREATE OR REPLACE FUNCTION pgvec.privilege_words()
RETURNS TABLE (privilege text, part text, word text, given boolean)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH word (privileges, parts, words, given) AS (VALUES
        ('read write worker', 'schema', 'USAGE', true),
        ('read write worker', 'catalog', 'SELECT', true),
        ('read', 'view, leaf', 'SELECT', true),
        -- A leaf that was readable and is hidden now.
        ('read', 'hidden leaf', 'SELECT', false),
        ('write', 'chunks', 'SELECT, INSERT, UPDATE, DELETE', true),
        ('write', 'ids', 'USAGE', true),
        ('write', 'writers'' door', 'EXECUTE', true),
        ('worker', 'workers'' door', 'EXECUTE', true),
        -- A worker reads texts with its own rights, so that policies apply to it. It writes vectors by its lease.
        ('worker', 'leaf, hidden leaf', 'SELECT', true)
    ), call (privileges, functions) AS (VALUES
        ('read write worker', 'raise_error, get_collection, get_version, active_version, vector_schema'),
        -- The guard, nearest, and what pgvec.version_status calls: its owner can grant SELECT on that view.
        ('read', 'assert_query_version, nearest, route_query, refuse_unready_version, check_query, rank_by_index, '
                 'rank_exactly, filter_sql, condition_sql, limit_filter, refuse_other_policies, policies_of, '
                 'policy_mark, chunk_table, leaf_status, missing_chunks, digests_sql, column_list, '
                 'reference_versions, index_state, index_mark, estimate_size'),
        ('write', 'ask_door, waiting_changes, free_versions, chunk_table'),
        ('worker', 'ask_door, claim_work, read_work, complete_work, renew_work, release_work, postpone_work, '
                   'fail_work, retry_set_aside, queue_counts, record_fingerprint, leased_items, complete_lease')
    )
    SELECT privilege, part, word, w.given
      FROM word w, string_to_table(w.privileges, ' ') privilege, string_to_table(w.parts, ', ') part,
           string_to_table(w.words, ', ') word
    UNION ALL
    SELECT privilege, 'function ' || function_name, 'EXECUTE', true
      FROM call c, string_to_table(c.privileges, ' ') privilege, string_to_table(c.functions, ', ') function_name;
$$;
