-- Writes what a worker made and closes its items, in one transaction. Call it with your vectors in a temporary table
-- pgvec_made (chunk_id, content_hash bytea, embedding): it reads that table with your own rights and passes the rows to
-- complete_lease.
-- Shape: items completed, items fenced, rows written, rows deleted.
-- Raises: PV001 (no such collection), PV002 (no such version), PV007 (no pgvec_made), PV023 (the version is gone), and
-- what complete_lease raises.
CREATE OR REPLACE FUNCTION pgvec.complete_work(collection text, source_version text, model_version text,
                                               items bigint[], revisions integer[], lease uuid)
RETURNS TABLE (completed bigint, fenced bigint, written bigint, deleted bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target CONSTANT pgvec.model_version := pgvec.get_version(collection, model_version);
BEGIN
    IF target.dropped_at IS NOT NULL OR target.state IN ('retired', 'abandoned') THEN
        PERFORM pgvec.raise_error('PV023',
            format('version %s of %s is %s: nothing is written to it.', target.model_version, target.collection,
                   target.state),
            jsonb_build_object('collection', collection, 'model_version', model_version, 'state', target.state));
    END IF;
    IF (SELECT count(*) FROM pg_attribute a
         WHERE a.attrelid = to_regclass('pg_temp.pgvec_made') AND NOT a.attisdropped
           AND a.attname IN ('chunk_id', 'content_hash', 'embedding')) < 3 THEN
        PERFORM pgvec.raise_error('PV007', 'complete_work: this session has no temporary table pgvec_made (chunk_id, '
                                           'content_hash, embedding) with what was made.');
    END IF;
    RETURN QUERY EXECUTE format($query$
        SELECT l.*
          FROM (SELECT array_agg(m.chunk_id::text) AS chunk_ids, array_agg(m.content_hash) AS hashes,
                       array_agg(m.embedding::%1$I.vector) AS vectors
                  FROM pg_temp.pgvec_made m) made
         CROSS JOIN LATERAL pgvec.complete_lease($1, $2, $3, made.chunk_ids, made.hashes, made.vectors) l
    $query$, pgvec.vector_schema()) USING lease, items, revisions;
END
$$;
