-- Checks that a gate's bound can be met: the metric is one that pgvec evaluate records, or that an evaluation of the
-- collection has recorded; and overlap and rank_correlation, which compare the two versions already, have only min
-- and max.
-- Raises: PV007 (an unknown metric, or a bound that does not apply to it).
CREATE OR REPLACE FUNCTION pgvec.check_metric(collection text, metric text, bound jsonb)
RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    names CONSTANT text := (SELECT string_agg(k.metric || CASE WHEN k.at_k THEN '@K' ELSE '' END, ', ')
                              FROM pgvec.known_metrics() k);
    known record;
BEGIN
    SELECT k.* INTO known FROM pgvec.known_metrics() k
     WHERE check_metric.metric ~ format('^%s%s$', k.metric, CASE WHEN k.at_k THEN '@[1-9][0-9]{0,5}' END);
    IF FOUND AND NOT known.compared AND bound ?| '{max_drop,max_rise}' THEN
        PERFORM pgvec.raise_error('PV007',
            format('%s compares the version with the active one already: it has no bound against active.', metric),
            jsonb_build_object('metric', metric, 'bound', bound), 'Give it a fixed bound.');
    ELSIF NOT FOUND AND NOT EXISTS (SELECT FROM pgvec.evaluation e
                                     WHERE e.collection = $1 AND e.metrics ? check_metric.metric) THEN
        PERFORM pgvec.raise_error('PV007', format('no evaluation records a metric %s.', metric),
            jsonb_build_object('metric', metric, 'known', names),
            format('Known are %s; K is the number of hits that count, such as recall@10. A metric of your own is '
                   'known after an evaluation of %s has recorded it.', names, collection));
    END IF;
END
$$;
