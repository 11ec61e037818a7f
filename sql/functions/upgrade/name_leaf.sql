-- Names for the leaf and the pinned view of a new version, made from its label; a number at the end keeps them apart
-- from names that are taken.
-- Shape: one row.
-- Why a number: two labels may differ only in characters that a plain identifier cannot show. And no leaf may have the
-- name of another leaf's index, or of a collection, whose name a leaf has while its policies are created.
CREATE OR REPLACE FUNCTION pgvec.name_leaf(c pgvec.collection, model_version text,
                                           OUT leaf text, OUT pinned_view text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    stem CONSTANT text := lower(regexp_replace(model_version, '[^A-Za-z0-9_]', '_', 'g'));
    ending text := '';
    number integer := 1;
BEGIN
    LOOP
        leaf := c.collection || '__' || stem || ending;
        pinned_view := c.collection || '_at_' || stem || ending;
        EXIT WHEN leaf !~ '_hnsw$'
            AND to_regclass(format('pgvec_leaves.%I', leaf)) IS NULL
            AND to_regclass(format('%I.%I', c.host_schema, pinned_view)) IS NULL
            AND NOT EXISTS (SELECT FROM pgvec.collection k WHERE k.collection = name_leaf.leaf)
            AND NOT EXISTS (SELECT FROM pgvec.model_version v
                             WHERE v.leaf = name_leaf.leaf
                                OR (v.collection = c.collection AND v.pinned_view = name_leaf.pinned_view));
        number := number + 1;
        ending := '_' || number;
    END LOOP;
END
$$;
