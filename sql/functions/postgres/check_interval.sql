-- Returns the given interval, if it is not NULL and lies between lowest and highest.
-- Arguments:
--   argument   its name, for the message
-- Raises: PV007.
-- Why a thousand years: no delay needs more, and beyond the range of timestamps PostgreSQL raises an error of its own.
CREATE OR REPLACE FUNCTION pgvec.check_interval(argument text, given interval, lowest interval DEFAULT '0',
                                                highest interval DEFAULT '1000 years')
RETURNS interval LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF given IS NULL OR given < lowest OR given > highest THEN
        PERFORM pgvec.raise_error('PV007',
            format('%s must be an interval from %s to %s.', argument, lowest, highest),
            jsonb_build_object('argument', argument, 'given', given::text,
                               'least', lowest::text, 'most', highest::text));
    END IF;
    RETURN given;
END
$$;
