-- Checks the bounds of a gate: an object of known metrics, each with one or more of min, max, max_drop and max_rise as
-- numbers. Bounds that no figure can meet together are refused: min above max, or max_drop and max_rise that leave
-- nothing between them.
-- Raises: PV007 (something else).
CREATE OR REPLACE FUNCTION pgvec.check_bounds(collection text, bounds jsonb)
RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    metric text;
    bound jsonb;
BEGIN
    IF jsonb_typeof(bounds) IS DISTINCT FROM 'object' OR bounds = '{}' THEN
        PERFORM pgvec.raise_error('PV007', 'a gate needs bounds: an object with a metric or more.',
            jsonb_build_object('bounds', bounds), 'Such as {"recall@10": {"min": 0.95}}.');
    END IF;
    FOR metric, bound IN SELECT b.key, b.value FROM jsonb_each(bounds) b LOOP
        IF jsonb_typeof(bound) <> 'object' OR bound = '{}'
           OR EXISTS (SELECT FROM jsonb_each(bound) n WHERE NOT pgvec.is_figure(n.value))
           OR bound - '{min,max,max_drop,max_rise}'::text[] <> '{}' THEN
            PERFORM pgvec.raise_error('PV007',
                format('the bound of %s is not min, max, max_drop or max_rise with a number.', metric),
                jsonb_build_object('metric', metric, 'bound', bound),
                'Such as {"min": 0.95} or {"max_drop": 0.01}.');
        END IF;
        PERFORM pgvec.check_metric(collection, metric, bound);
        -- Against the active version's figure, max_drop is a lower bound of -max_drop.
        IF (bound ->> 'min')::numeric > (bound ->> 'max')::numeric
           OR -(bound ->> 'max_drop')::numeric > (bound ->> 'max_rise')::numeric THEN
            PERFORM pgvec.raise_error('PV007',
                format('no figure meets both bounds of %s: the lower one is above the upper one.', metric),
                jsonb_build_object('metric', metric, 'bound', bound), 'Change one of them, or leave it out.');
        END IF;
    END LOOP;
END
$$;
