-- Which relation stands for a view of ours: NULL when it is not there yet, or not any more.
--   remembered   the relation that put_view made for it
--   expected     its whole name
-- Promise: only what we made is given, and only while nobody else owns it. Another relation of the name is refused.
-- Raises PV004 (the name is taken, or the view has another owner), PV007 (it was renamed or moved by hand).
CREATE OR REPLACE FUNCTION pgvec.own_view(collection text, remembered regclass, expected text)
RETURNS regclass LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    holder CONSTANT regclass := to_regclass(expected);
    ours pg_catalog.pg_class;
BEGIN
    SELECT t.* INTO ours FROM pg_catalog.pg_class t WHERE t.oid = remembered AND t.relkind = 'v';
    IF holder IS DISTINCT FROM ours.oid::regclass AND holder IS NOT NULL THEN
        PERFORM pgvec.raise_error('PV004',
            format('the name %s is taken: what has it is not the view of %s.', expected, collection),
            jsonb_build_object('collection', collection, 'relation', expected),
            'Rename or drop what has it; it is not ours, we leave it alone.');
    ELSIF holder IS NULL AND ours.oid IS NOT NULL THEN
        PERFORM pgvec.raise_error('PV007',
            format('the view %s is now %s: it was renamed or moved by hand.', expected, ours.oid::regclass),
            jsonb_build_object('collection', collection, 'relation', ours.oid::regclass::text),
            format('Give it its name back, or drop it: DROP VIEW %s;', ours.oid::regclass));
    END IF;
    PERFORM pgvec.refuse_foreign_owner(collection, ours.oid::regclass);
    RETURN ours.oid::regclass;
END
$$;
