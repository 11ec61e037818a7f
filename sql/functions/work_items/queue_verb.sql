-- Runs a verb behind the workers' door of a collection, where the caller is known to be a worker of this collection.
-- Only the owner can call it.
-- Raises: PV001 (no such collection), PV002 (no such version), PV007 (no such verb, an argument of a wrong type).
CREATE OR REPLACE FUNCTION pgvec.queue_verb(collection text, verb text, arguments jsonb)
RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    versions CONSTANT text[] := ARRAY(SELECT jsonb_array_elements_text(
        CASE jsonb_typeof(arguments -> 'versions') WHEN 'array' THEN arguments -> 'versions' ELSE '[]' END));
    label CONSTANT text := arguments ->> 'model_version';
    max_items integer;
    lease interval;
    holder jsonb;
    newest bigint;
    agrees boolean;
    least_cosine float8;
BEGIN
    -- Nothing is written in this block, so it costs no transaction number.
    BEGIN
        max_items := arguments ->> 'max_items';
        lease := arguments ->> 'lease';
        holder := jsonb_build_object('pid', (arguments #>> '{holder,pid}')::integer,
                                     'since', (arguments #>> '{holder,since}')::timestamptz,
                                     'stays', coalesce((arguments #>> '{holder,stays}')::boolean, false));
        newest := arguments ->> 'newest';
        agrees := arguments ->> 'agrees';
        least_cosine := arguments ->> 'least_cosine';
    EXCEPTION WHEN data_exception THEN
        PERFORM pgvec.raise_error('PV007', format('an argument of %s has a wrong type: %s.', verb, SQLERRM),
            jsonb_build_object('collection', collection, 'verb', verb));
    END;
    CASE verb
    WHEN 'claim_work' THEN
        RETURN (SELECT coalesce(jsonb_agg(to_jsonb(i) ORDER BY i.item_id), '[]')
                  FROM pgvec.claim_items(collection, versions, max_items, lease, holder) i);
    WHEN 'queue_counts' THEN
        RETURN (SELECT to_jsonb(n) FROM pgvec.count_items(collection, versions, newest) n);
    WHEN 'retry_set_aside' THEN
        RETURN to_jsonb(pgvec.reopen_items(collection, label));
    WHEN 'record_fingerprint' THEN
        PERFORM pgvec.keep_verdict(collection, label, arguments -> 'embedder', agrees, least_cosine,
                                   arguments -> 'detail');
        RETURN NULL;
    ELSE
        PERFORM pgvec.raise_error('PV007',
            format('%s is not for workers.', coalesce(quote_literal(verb), 'a verb without a name')),
            jsonb_build_object('collection', collection, 'verb', verb));
    END CASE;
END
$$;
