-- Behind the workers' door of a collection: what needs to know that the caller is a worker of this very collection.
-- Nobody but the owner may call it. Raises PV001, PV002, PV007 (no such verb).
CREATE OR REPLACE FUNCTION pgvec.queue_verb(collection text, verb text, arguments jsonb)
RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    named CONSTANT text[] := ARRAY(SELECT jsonb_array_elements_text(
        CASE jsonb_typeof(arguments -> 'versions') WHEN 'array' THEN arguments -> 'versions' ELSE '[]' END));
    label CONSTANT text := arguments ->> 'model_version';
BEGIN
    CASE verb
    WHEN 'claim_work' THEN
        RETURN (SELECT coalesce(jsonb_agg(to_jsonb(i) ORDER BY i.item_id), '[]')
                  FROM pgvec.claim_items(collection, named, (arguments ->> 'max_items')::integer,
                                         (arguments ->> 'lease')::interval) i);
    WHEN 'queue_counts' THEN
        RETURN (SELECT to_jsonb(n) FROM pgvec.count_items(collection, named, (arguments ->> 'newest')::bigint) n);
    WHEN 'retry_set_aside' THEN
        RETURN to_jsonb(pgvec.reopen_items(collection, label));
    WHEN 'record_fingerprint' THEN
        PERFORM pgvec.keep_verdict(collection, label, arguments -> 'embedder', (arguments ->> 'agrees')::boolean,
                                   (arguments ->> 'least_cosine')::float8, arguments -> 'detail');
        RETURN NULL;
    ELSE
        PERFORM pgvec.raise_error('PV007',
            format('%s is not for workers.', coalesce(quote_literal(verb), 'a verb without a name')),
            jsonb_build_object('collection', collection, 'verb', verb));
    END CASE;
END
$$;
