-- Opens a work item for each chunk, from one version to another. An item that exists already is due again, also when a
-- worker holds it.
-- Arguments:
--   owners  the owner of each row in the target (pgvec.owner_of), which the writer was allowed to change
-- Why always in one order: two writers who open the same items do not wait for each other crosswise.
CREATE OR REPLACE FUNCTION pgvec.open_items(collection text, source_version text, model_version text, chunk_ids text[],
                                            owners jsonb[] DEFAULT NULL)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO pgvec.work_item AS w (collection, source_version, model_version, lo, hi, owner)
    SELECT $1, $2, $3, k.chunk_id, k.chunk_id, k.owner
      FROM (SELECT DISTINCT ON (u.chunk_id COLLATE "C") u.chunk_id, u.owner
              FROM unnest(chunk_ids, owners) u (chunk_id, owner) ORDER BY u.chunk_id COLLATE "C") k
    ON CONFLICT ON CONSTRAINT work_item_collection_model_version_source_version_lo_hi_key DO UPDATE
       SET revision = w.revision + 1, lease = NULL, leased_until = NULL, attempts = 0, last_error = NULL,
           set_aside_at = NULL, owner = excluded.owner;
END
$$;
