-- Says from the catalog alone what keeps queries from being routed to a version: an empty object when nothing does.
-- Shape: an object with the keys open_items, set_aside, index and stopped_following.
-- Raises: PV001 (no such collection), PV002 (no such version).
-- Why the catalog is enough: make_ready has checked the rows, and every later change has become a work item.
CREATE OR REPLACE FUNCTION pgvec.catalog_problems(collection text, model_version text)
RETURNS jsonb LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object(
               'open_items', nullif(i.open, 0), 'set_aside', nullif(i.set_aside, 0),
               'index', nullif(pgvec.index_state(v.leaf), 'valid'),
               'stopped_following', CASE WHEN NOT v.follows THEN v.draining_at END))
      FROM pgvec.get_version($1, $2) v CROSS JOIN LATERAL pgvec.item_counts(v.collection, v.model_version) i;
$$;
