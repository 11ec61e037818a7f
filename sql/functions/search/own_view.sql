-- Returns the relation behind one of our views; NULL when it does not exist yet, or no longer exists.
-- Promise: it returns only what pgvec made, and only while no other role owns it. It refuses another relation of the
-- name.
-- Arguments:
--   remembered  the relation that put_view made for it
--   expected    its name, with the schema
-- Raises: PV004 (the name is taken, or the view has another owner), PV007 (it was renamed or moved by hand).
CREATE OR REPLACE FUNCTION pgvec.own_view(collection text, remembered regclass, expected text)
RETURNS regclass LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    holder CONSTANT regclass := to_regclass(expected);
    ours pg_catalog.pg_class;
BEGIN
    SELECT t.* INTO ours FROM pg_catalog.pg_class t WHERE t.oid = remembered AND t.relkind = 'v';
    IF holder IS DISTINCT FROM ours.oid::regclass AND holder IS NOT NULL THEN
        PERFORM pgvec.raise_error('PV004',
            format('the name %s is taken by a relation that is not the view of %s.', expected, collection),
            jsonb_build_object('collection', collection, 'relation', expected),
            'Rename or drop that relation; pgvec leaves alone what it did not make.');
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
