-- What pgvec doctor asks. Every statement runs in a read-only transaction.

-- name: read_only
-- Evaluations run it too.
SELECT set_config('transaction_read_only', 'on', true) AS read_only

-- name: doctor_server
SELECT current_setting('server_version') AS server_version,
       current_setting('server_version_num')::integer AS server_version_num,
       (SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'vector') AS vector_version,
       pg_size_bytes(current_setting('maintenance_work_mem')) AS maintenance_work_mem,
       pg_size_bytes(current_setting('shared_buffers')) AS shared_buffers,
       pg_size_bytes(current_setting('effective_cache_size')) AS effective_cache_size,
       current_setting('autovacuum')::boolean AS autovacuum,
       current_setting('session_replication_role') AS replication_role

-- name: doctor_leaves
-- A leaf of a cosine collection needs one CHECK more: a zero vector has no direction.
SELECT v.collection, v.model_version, v.state, pgvec.policies_of(l.oid) = pgvec.policies_of(t.oid) AS same_policies,
       (SELECT count(*)
          FROM pg_catalog.pg_constraint k
         WHERE k.conrelid = l.oid AND k.convalidated
           AND k.conname IN ('pgvec_version', 'pgvec_dimensions', 'pgvec_not_zero')) AS checks,
       CASE c.distance WHEN 'cosine' THEN 3 ELSE 2 END AS due_checks,
       -- Of the chunk table and of the leaf: those that an ordinary session does not fire, and those that are gone.
       (SELECT count(*)
          FROM pg_catalog.pg_trigger g
         WHERE g.tgrelid IN (t.oid, l.oid) AND g.tgname LIKE 'pgvec\_%%' AND g.tgenabled IN ('D', 'R'))
           AS disabled_triggers,
       (SELECT count(*) FROM pgvec.dropped_triggers(v.collection, v.model_version)) AS dropped_triggers,
       t.oid::regclass::text AS chunk_table, l.oid::regclass::text AS leaf,
       (SELECT s.idx_scan
          FROM pg_catalog.pg_stat_user_indexes s
         WHERE s.schemaname = 'pgvec_leaves' AND s.indexrelname = v.leaf || '_hnsw') AS scans,
       v.activated_at < clock_timestamp() - interval '1 day' AS long_active,
       coalesce(v.ready_at, v.registered_at) < clock_timestamp() - interval '7 days' AS stuck
  FROM pgvec.model_version v
  JOIN pgvec.collection c ON c.collection = v.collection
  JOIN pg_catalog.pg_class l ON l.relname = v.leaf
  JOIN pg_catalog.pg_namespace n ON n.oid = l.relnamespace AND n.nspname = 'pgvec_leaves'
  JOIN pg_catalog.pg_class t ON t.oid = c.chunk_table
 WHERE v.dropped_at IS NULL AND v.collection = ANY (%(collections)s)

-- name: doctor_differences
-- What ordinary writes never leave, counted; see pgvec.unsettled_chunks.
SELECT v.collection, v.model_version, v.state, v.follows, pgvec.active_version(v.collection) AS active,
       u.difference, count(*) AS chunks, pgvec.ways_out(v.collection, v.model_version, u.difference) AS ways_out
  FROM pgvec.model_version v
 CROSS JOIN LATERAL pgvec.unsettled_chunks(v.collection, v.model_version) u
 WHERE v.dropped_at IS NULL AND v.state <> 'abandoned' AND v.collection = ANY (%(collections)s)
 GROUP BY v.collection, v.model_version, v.state, v.follows, u.difference, v.registered_at
 ORDER BY v.collection, v.registered_at, u.difference

-- name: doctor_grants
-- Recorded grants that do not hold on every object: a row for each role and privilege, with the objects that lack it.
WITH lacking AS (
    SELECT DISTINCT g.collection, g.grantee, g.privilege, o.name
      FROM pgvec.collection_grant g
      JOIN pg_catalog.pg_roles r ON r.oid = g.grantee
      JOIN pgvec.privilege_words() w ON w.privilege = g.privilege AND w.given
      JOIN LATERAL pgvec.privilege_objects(g.collection) o ON o.part = w.part
     WHERE g.collection = ANY (%(collections)s)
       AND NOT CASE o.kind WHEN 'TABLE' THEN has_table_privilege(g.grantee, o.object, w.word)
                           WHEN 'SEQUENCE' THEN has_sequence_privilege(g.grantee, o.object, w.word)
                           WHEN 'SCHEMA' THEN has_schema_privilege(g.grantee, o.object, w.word)
                           ELSE has_function_privilege(g.grantee, o.object, w.word) END
)
SELECT l.collection, l.grantee::text AS grantee, l.privilege, string_agg(l.name, ', ' ORDER BY l.name) AS lacks
  FROM lacking l
 GROUP BY l.collection, l.grantee, l.privilege
 ORDER BY l.collection, 2, l.privilege

-- name: doctor_gone_roles
-- Recorded grants of roles that were dropped.
SELECT g.collection, g.grantee::oid::text AS role, string_agg(g.privilege, ', ' ORDER BY g.privilege) AS privileges
  FROM pgvec.collection_grant g
 WHERE g.collection = ANY (%(collections)s)
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = g.grantee)
 GROUP BY g.collection, g.grantee
 ORDER BY g.collection, 2

-- name: doctor_declare
SELECT set_config('pgvec.query_version.' || %(collection)s, 'any', true) AS query_version

-- name: doctor_plan
EXPLAIN (FORMAT JSON)
SELECT v.chunk_id
  FROM {view} v
 ORDER BY v.embedding {operator} %(query)s LIMIT 10

-- name: doctor_only_ordered_indexes
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
       set_config('enable_sort', 'off', true), set_config('enable_indexscan', 'on', true)

-- name: doctor_default_planner
-- Sets the planner's settings to PostgreSQL's own, and returns those that differed. By name: the categories in
-- pg_settings are translated.
SELECT s.name || ' = ' || current_setting(s.name) AS written, set_config(s.name, s.boot_val, true) AS used
  FROM pg_catalog.pg_settings s
 WHERE (starts_with(s.name, 'enable_') OR right(s.name, 5) = '_cost' OR s.name = 'effective_cache_size')
   AND s.context = 'user' AND s.setting IS DISTINCT FROM s.boot_val
 ORDER BY s.name

-- name: doctor_sample
SELECT s.chunk_id, s.content, s.embedding
  FROM (SELECT t.chunk_id::text AS chunk_id, t.content, t.embedding, random() AS place
          FROM {leaf} t TABLESAMPLE SYSTEM (%(percent)s)
         ORDER BY place LIMIT %(count)s) s

-- name: doctor_duplicates
-- Texts that occur more than once, and texts with nothing in them, among the first 100,000 chunks.
WITH chunk AS (SELECT t.content, t.content ~ '[^[:space:]]' AS says FROM {leaf} t LIMIT 100000)
SELECT count(*) FILTER (WHERE c.says) - count(DISTINCT c.content) FILTER (WHERE c.says) AS doubles,
       count(*) FILTER (WHERE NOT c.says) AS empty,
       count(*) AS chunks
  FROM chunk c

-- name: doctor_shared_vectors
-- Vectors that several different texts have, among the first 100,000 chunks: a row for each of up to five texts of up
-- to twenty such vectors, and how many vectors there are. A text with nothing in it does not count.
WITH chunk AS (SELECT t.content, t.embedding FROM {leaf} t LIMIT 100000),
     said AS (SELECT DISTINCT c.embedding, c.content FROM chunk c WHERE c.content ~ '[^[:space:]]'),
     counted AS (SELECT s.embedding, s.content, count(*) OVER (PARTITION BY s.embedding) AS texts,
                        row_number() OVER (PARTITION BY s.embedding ORDER BY s.content) AS place
                   FROM said s),
     numbered AS (SELECT c.embedding, c.content, c.place, dense_rank() OVER (ORDER BY c.embedding) AS number
                    FROM counted c
                   WHERE c.texts > 1)
SELECT n.number, n.content, n.embedding, (SELECT max(m.number) FROM numbered m) AS vectors
  FROM numbered n
 WHERE n.place <= 5 AND n.number <= 20
 ORDER BY n.number, n.place

-- name: table_found
SELECT n.nspname AS schema, c.relname AS name, greatest(c.reltuples, 0)::float8 AS estimate,
       c.relkind IN ('r', 'p', 'm') AS is_table
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = to_regclass(%(table)s)

-- name: table_columns
SELECT a.attname AS name, t.typname AS type, a.atttypmod AS modifier
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
 WHERE a.attrelid = to_regclass(%(table)s) AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum

-- name: table_indexes
SELECT k.relname AS name, m.amname AS method, i.indisvalid AND i.indisready AS valid
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class k ON k.oid = i.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = k.relam
 WHERE i.indrelid = to_regclass(%(table)s) AND m.amname IN ('hnsw', 'ivfflat')

-- name: table_sample
-- Rows of a table of any shape: its text, its vector, and its other columns as JSON.
SELECT {text}::text AS content, {vector} AS embedding, to_jsonb(t) - {vector_name} - {text_name} AS others
  FROM (SELECT s.*, random() AS pgvec_place
          FROM {table} s TABLESAMPLE SYSTEM (%(percent)s)
         ORDER BY pgvec_place LIMIT %(count)s) t

-- name: doctor_adoptions
SELECT a.collection, a.model_version, format('%I.%I', a.host_schema, a.table_name) AS table_name,
       a.adopted_at IS NOT NULL AS adopted,
       (SELECT string_agg(format('%s (%s)', i, pg_size_pretty(pg_relation_size(i))), ', ')
          FROM pgvec.old_vector_indexes(a.collection) i) AS old_indexes
  FROM pgvec.adoption a
 ORDER BY a.collection
