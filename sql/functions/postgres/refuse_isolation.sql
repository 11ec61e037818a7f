-- Whether the isolation level of this transaction is wrong for a verb that checks rows under its locks: a row of PV007
-- outside READ COMMITTED, or none.
-- Why: in another level the snapshot can be older than the last write, and does not show its work item.
CREATE OR REPLACE FUNCTION pgvec.refuse_isolation(collection text, model_version text, verb text)
RETURNS TABLE (code text, message text, detail jsonb, hint text) LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'PV007',
           format('%s needs READ COMMITTED: a snapshot from before it has its locks '
                  'cannot show that nothing is missing.',
                  $3),
           jsonb_build_object('collection', $1, 'model_version', $2, 'isolation', i.isolation),
           'Begin the transaction with: BEGIN ISOLATION LEVEL READ COMMITTED;'
      FROM current_setting('transaction_isolation') i (isolation)
     WHERE i.isolation NOT IN ('read committed', 'read uncommitted');
$$;
