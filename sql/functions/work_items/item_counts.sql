-- How many work items are open and how many were set aside, of a version or of all of a collection.
CREATE OR REPLACE FUNCTION pgvec.item_counts(collection text, model_version text DEFAULT NULL,
                                          OUT open bigint, OUT set_aside bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(*) FILTER (WHERE w.set_aside_at IS NULL), count(*) FILTER (WHERE w.set_aside_at IS NOT NULL)
      FROM pgvec.work_item w WHERE w.collection = $1 AND ($2 IS NULL OR w.model_version = $2);
$$;
