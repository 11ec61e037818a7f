-- Checks the metrics of an evaluation: an object whose values are all numbers.
-- Raises: PV007 (something else).
CREATE OR REPLACE FUNCTION pgvec.check_figures(figures jsonb)
RETURNS void LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF jsonb_typeof(figures) IS DISTINCT FROM 'object'
       OR EXISTS (SELECT FROM jsonb_each(figures) f WHERE NOT pgvec.is_figure(f.value)) THEN
        PERFORM pgvec.raise_error('PV007', 'metrics and baseline must be objects of numbers.',
            jsonb_build_object('given', figures), 'Such as {"recall@10": 0.98}.');
    END IF;
END
$$;
