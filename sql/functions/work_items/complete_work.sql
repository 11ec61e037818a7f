-- Writes what a worker made and closes its items, in one transaction: for a client that has put its vectors into a
-- temporary table pgvec_made (chunk_id, content_hash bytea, embedding). It reads that table with the client's own rights
-- and hands it to pgvec.complete_lease.
-- Shape: items completed, items fenced, rows written, rows deleted. Raises PV001, PV002, PV007 (no pgvec_made), PV023 (the version is gone), and
-- what complete_lease raises.
CREATE OR REPLACE FUNCTION pgvec.complete_work(collection text, source_version text, model_version text,
                                               items bigint[], revisions integer[], lease uuid)
RETURNS TABLE (completed bigint, fenced bigint, written bigint, deleted bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t CONSTANT pgvec.model_version := pgvec.get_version(collection, model_version);
    statement CONSTANT text := 'SELECT l.* FROM (SELECT array_agg(m.chunk_id::text) AS ids, array_agg(m.content_hash) AS hashes, '
        'array_agg(m.embedding::%1$I.vector) AS vectors FROM pg_temp.pgvec_made m) a, '
        'LATERAL pgvec.complete_lease($1, $2, $3, a.ids, a.hashes, a.vectors) l';
BEGIN
    IF t.dropped_at IS NOT NULL OR t.state IN ('retired', 'abandoned') THEN
        PERFORM pgvec.raise_error('PV023', format('version %s of %s is %s: nothing is written to it.', t.model_version, t.collection, t.state),
            jsonb_build_object('collection', collection, 'model_version', model_version, 'state', t.state));
    END IF;
    IF (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = to_regclass('pg_temp.pgvec_made') AND NOT a.attisdropped
           AND a.attname IN ('chunk_id', 'content_hash', 'embedding')) < 3 THEN
        PERFORM pgvec.raise_error('PV007', 'complete_work: this session has no temporary table pgvec_made (chunk_id, content_hash, '
                                           'embedding) with what was made.');
    END IF;
    RETURN QUERY EXECUTE format(statement, pgvec.vector_schema()) USING lease, items, revisions;
END
$$;
