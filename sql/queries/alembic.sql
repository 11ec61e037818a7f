-- What Alembic operations need beyond the plain verbs. A migration runs up, down and up again, so each statement
-- looks at the version's state first. Values are bound online; for --sql they are written as literals.

-- name: register_unless_there
-- Does nothing when the label is live with the same identity and index. Raises PV004 for any other use of it.
SELECT pgvec.register_version(%(collection)s, %(model_version)s, %(dimensions)s, %(embedder)s,
                              %(m)s, %(ef_construction)s)
 WHERE NOT EXISTS (SELECT FROM pgvec.model_version v
                    WHERE v.collection = %(collection)s AND v.model_version = %(model_version)s
                      AND v.state IN ('building', 'ready', 'active', 'draining')
                      AND v.dimensions = %(dimensions)s AND v.embedder = %(embedder)s
                      AND v.m = %(m)s AND v.ef_construction = %(ef_construction)s)

-- name: abandon_unless_activated
SELECT pgvec.abandon(v.collection, v.model_version)
  FROM pgvec.get_version(%(collection)s, %(model_version)s) v
 WHERE v.state IN ('building', 'ready')

-- name: build_index_if_building
SELECT pgvec.build_index(v.collection, v.model_version) AS built
  FROM pgvec.get_version(%(collection)s, %(model_version)s) v
 WHERE v.state = 'building'

-- name: make_ready_if_building
SELECT pgvec.make_ready(v.collection, v.model_version) AS state
  FROM pgvec.get_version(%(collection)s, %(model_version)s) v
 WHERE v.state = 'building'

-- name: activate
-- After a roll-back the version that was left is draining: roll_back makes the version active that was active last.
SELECT CASE WHEN v.state = 'active' THEN v.model_version
            WHEN v.model_version = (SELECT d.model_version
                                      FROM pgvec.model_version d
                                     WHERE d.collection = v.collection AND d.state = 'draining'
                                     ORDER BY d.draining_at DESC LIMIT 1)
                THEN pgvec.roll_back(v.collection, v.model_version)
            ELSE pgvec.cut_over(v.collection, v.model_version) END AS model_version
  FROM pgvec.get_version(%(collection)s, %(model_version)s) v

-- name: take_back_cut_over
-- The first version of a collection stays active: there is no earlier one to go back to.
SELECT pgvec.roll_back(v.collection) AS now_active
  FROM pgvec.get_version(%(collection)s, %(model_version)s) v
 WHERE v.state = 'active'
   AND EXISTS (SELECT FROM pgvec.model_version p
                WHERE p.collection = v.collection AND p.model_version <> v.model_version
                  AND p.activated_at IS NOT NULL)

-- name: roll_back_now
SELECT pgvec.roll_back(%(collection)s) AS now_active

-- name: refresh_collection
SELECT pgvec.refresh_collection(%(collection)s, %(without)s::text[])

-- name: grant_read
SELECT pgvec.grant_read(%(collection)s, quote_ident(%(grantee)s)::regrole)

-- name: grant_write
SELECT pgvec.grant_write(%(collection)s, quote_ident(%(grantee)s)::regrole)

-- name: grant_worker
SELECT pgvec.grant_worker(%(collection)s, quote_ident(%(grantee)s)::regrole)

-- name: revoke_read
-- A migration can go down after the role was dropped: to_regrole is NULL then, and revoke_read deletes the record.
SELECT pgvec.revoke_read(%(collection)s, to_regrole(quote_ident(%(grantee)s)))

-- name: revoke_write
SELECT pgvec.revoke_write(%(collection)s, to_regrole(quote_ident(%(grantee)s)))

-- name: revoke_worker
SELECT pgvec.revoke_worker(%(collection)s, to_regrole(quote_ident(%(grantee)s)))
