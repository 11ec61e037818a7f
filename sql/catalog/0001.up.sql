-- Catalog version 1: the schemas and the tables. Frozen once released; functions and views live
-- in sql/functions and sql/views and are replaced at every upgrade.
-- In this order: requirements, schemas, collections and versions, writes and the work they leave, evaluation,
-- fingerprints, retirement, who sees which rows.
-- Raises: PV010 (PostgreSQL or pgvector is missing or too old), PV009 (schema pgvec exists already), 55P03 (another
-- session is creating schema pgvec).


-- --- Requirements ---

DO $$
DECLARE
    server_version CONSTANT text := current_setting('server_version');
    vector_version CONSTANT text := (SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'vector');
BEGIN
    IF current_setting('server_version_num')::int < 150000 THEN
        RAISE EXCEPTION 'PostgreSQL % is too old: pgvec needs 15 or later.', server_version
            USING ERRCODE = 'PV010',
                  DETAIL = jsonb_build_object('requirement', 'postgresql', 'found', server_version,
                                              'needed', '15')::text;
    END IF;
    IF vector_version IS NULL THEN
        RAISE EXCEPTION 'the extension vector is not in this database.'
            USING ERRCODE = 'PV010',
                  DETAIL = jsonb_build_object('requirement', 'vector', 'found', NULL, 'needed', '0.8.0')::text,
                  HINT = 'Ask a superuser to install pgvector 0.8.0 or later and to run: CREATE EXTENSION vector;';
    END IF;
    IF string_to_array(regexp_replace(vector_version, '[^0-9.].*', ''), '.')::int[] < ARRAY[0, 8, 0] THEN
        RAISE EXCEPTION 'pgvector % is too old: pgvec needs 0.8.0 or later.', vector_version
            USING ERRCODE = 'PV010',
                  DETAIL = jsonb_build_object('requirement', 'vector', 'found', vector_version,
                                              'needed', '0.8.0')::text,
                  HINT = 'Ask a superuser to install a newer pgvector and to run: ALTER EXTENSION vector UPDATE;';
    END IF;
END
$$;


-- --- Schemas ---

DO $$
BEGIN
    CREATE SCHEMA pgvec;
EXCEPTION
    WHEN duplicate_schema OR unique_violation THEN
        RAISE EXCEPTION 'schema pgvec exists already: another session has just installed the catalog, '
                        'or the schema is not ours.'
            USING ERRCODE = 'PV009',
                  HINT = 'Nothing was changed. Run pgvec init again; if it says the same, rename that schema.';
    WHEN lock_not_available THEN
        RAISE EXCEPTION 'another session is creating schema pgvec and has not ended its transaction.'
            USING ERRCODE = '55P03',
                  HINT = 'Nothing was changed. Look for it in pg_stat_activity (backend_xid is set), or try again.';
END
$$;
CREATE SCHEMA pgvec_leaves;
CREATE SCHEMA pgvec_archive;
COMMENT ON SCHEMA pgvec IS 'pgvec-versions: the catalog and the functions';
COMMENT ON SCHEMA pgvec_leaves IS 'pgvec-versions: one partition per model version';
COMMENT ON SCHEMA pgvec_archive IS 'pgvec-versions: leaves of retired versions that were kept, without their index';


-- --- Which catalog versions are installed ---

CREATE TABLE pgvec.catalog_version (
    version integer PRIMARY KEY,
    installed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    installed_by text NOT NULL DEFAULT session_user
);
COMMENT ON TABLE pgvec.catalog_version IS 'the catalog versions that were installed; the highest one is current';
INSERT INTO pgvec.catalog_version (version) VALUES (1);


-- --- Collections, their versions, who may use them, and what happened to them ---

CREATE TABLE pgvec.collection (
    collection text PRIMARY KEY CHECK (collection ~ '^[a-z_][a-z0-9_]{0,39}$'),
    host_schema text NOT NULL,
    distance text NOT NULL CHECK (distance IN ('cosine', 'l2', 'inner_product')),
    storage text NOT NULL CHECK (storage IN ('vector', 'halfvec')),
    id_type text NOT NULL CHECK (id_type IN ('uuid', 'bigint', 'integer', 'text')),
    retire_after interval NOT NULL CHECK (retire_after >= interval '0'),
    require_query_version boolean NOT NULL,
    follow_while_draining boolean NOT NULL,
    epoch bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    chunk_table regclass,
    routing_view regclass,
    document_root text CHECK (document_root <> '')
);
COMMENT ON COLUMN pgvec.collection.chunk_table IS
    'the relation that create_collection made, whatever its name is now; the same holds for routing_view';
COMMENT ON COLUMN pgvec.collection.document_root IS
    'the folder that the document ids of pgvec add are relative to: a path, or one in the folder of pgvec.toml';
COMMENT ON COLUMN pgvec.collection.epoch IS
    'goes up when the set of live versions changes; a REPEATABLE READ writer with an older snapshot fails with 40001';

CREATE TABLE pgvec.model_version (
    collection text NOT NULL REFERENCES pgvec.collection ON DELETE CASCADE,
    model_version text NOT NULL CHECK (model_version ~ '^[A-Za-z0-9][A-Za-z0-9._-]*$'),
    state text NOT NULL DEFAULT 'building'
        CHECK (state IN ('building', 'ready', 'active', 'draining', 'retired', 'abandoned')),
    dimensions integer NOT NULL CHECK (dimensions > 0),
    embedder jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(embedder) = 'object'),
    m integer NOT NULL CHECK (m BETWEEN 2 AND 100),
    ef_construction integer NOT NULL CHECK (ef_construction BETWEEN 4 AND 1000),
    index_kind text NOT NULL DEFAULT 'cast' CHECK (index_kind IN ('cast', 'column')),
    leaf text NOT NULL UNIQUE,
    pinned_view text NOT NULL,
    pinned_relation regclass,
    leaf_relation regclass,
    chunk_relation regclass,
    policy_mark text,
    follows boolean NOT NULL DEFAULT true,
    registered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ready_at timestamptz,
    activated_at timestamptz,
    draining_at timestamptz,
    retire_at timestamptz,
    retired_at timestamptz,
    abandoned_at timestamptz,
    dropped_at timestamptz,
    paused_at timestamptz,
    equivalents jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(equivalents) = 'array'),
    PRIMARY KEY (collection, model_version),
    -- In this order, or the planner uses this index for a search by collection and label.
    UNIQUE (pinned_view, collection),
    CHECK (ef_construction >= 2 * m),
    CHECK (state <> 'ready' OR (ready_at IS NOT NULL AND retire_at IS NULL)),
    CHECK (state <> 'active' OR (activated_at IS NOT NULL AND retire_at IS NULL)),
    CHECK (state <> 'draining' OR (draining_at IS NOT NULL AND retire_at IS NOT NULL)),
    CHECK ((state = 'retired') = (retired_at IS NOT NULL)),
    CHECK ((state = 'abandoned') = (abandoned_at IS NOT NULL)),
    CHECK (state <> 'abandoned' OR retire_at IS NOT NULL),
    CHECK (state <> 'retired' OR dropped_at IS NOT NULL),
    CHECK (dropped_at IS NULL OR state IN ('retired', 'abandoned'))
);
COMMENT ON TABLE pgvec.model_version IS
    'one row per version: label, embedder, state; a row stays as long as its collection';
COMMENT ON COLUMN pgvec.model_version.leaf_relation IS
    'the leaf; chunk_relation is the chunk table. The guard reads one row and asks both for row-level security';
COMMENT ON COLUMN pgvec.model_version.index_kind IS
    'what a search must order by to use the index: cast, the vector cast to its dimensions; column, the bare column';
COMMENT ON COLUMN pgvec.model_version.policy_mark IS
    'pgvec.policy_mark when the policies of leaf and chunk table were last equal; if it changes, they are compared';
COMMENT ON COLUMN pgvec.model_version.pinned_relation IS
    'the view that put_pinned_view made under the name pinned_view, while it exists';
COMMENT ON COLUMN pgvec.model_version.embedder IS
    'the identity of the embedder: data to compare with, never code to run';
COMMENT ON COLUMN pgvec.model_version.paused_at IS
    'paused since then: no work is claimed, no index built, no cut-over; version_event says who and why';
COMMENT ON COLUMN pgvec.model_version.equivalents IS
    'identities of embedders that were declared to be the same model, served elsewhere';

-- At most one active version per collection: the index guarantees it.
CREATE UNIQUE INDEX model_version_one_active ON pgvec.model_version (collection) WHERE state = 'active';

-- --- Tables that were adopted ---

-- A row with one field. HNSW needs a column of known dimensions, and a search that was written for a plain column casts
-- nothing. The index of an adopted leaf is on (ROW(embedding)::pgvec.boxed)::vector(384): this has the dimensions, and
-- the planner takes the cast apart, so that the bare column matches it.
CREATE TYPE pgvec.boxed AS (embedding vector);
CREATE TYPE pgvec.boxed_half AS (embedding halfvec);
CREATE FUNCTION pgvec.unboxed(box pgvec.boxed, dimensions integer, explicit boolean)
RETURNS vector LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN (box).embedding;
CREATE FUNCTION pgvec.unboxed(box pgvec.boxed_half, dimensions integer, explicit boolean)
RETURNS halfvec LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN (box).embedding;
CREATE CAST (pgvec.boxed AS vector) WITH FUNCTION pgvec.unboxed(pgvec.boxed, integer, boolean);
CREATE CAST (pgvec.boxed_half AS halfvec) WITH FUNCTION pgvec.unboxed(pgvec.boxed_half, integer, boolean);

CREATE TABLE pgvec.adoption (
    collection text PRIMARY KEY,
    model_version text NOT NULL,
    source regclass NOT NULL,
    host_schema text NOT NULL,
    table_name text NOT NULL,
    leaf text NOT NULL UNIQUE,
    pinned_view text NOT NULL,
    columns jsonb NOT NULL CHECK (jsonb_typeof(columns) = 'object'),
    options jsonb NOT NULL CHECK (jsonb_typeof(options) = 'object'),
    original jsonb NOT NULL CHECK (jsonb_typeof(original) = 'object'),
    intake regclass,
    old_view regclass,
    begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    begun_by text NOT NULL DEFAULT session_user,
    adopted_at timestamptz,
    CHECK ((adopted_at IS NULL) = (intake IS NULL))
);
COMMENT ON TABLE pgvec.adoption IS
    'tables that became the first version of a collection, or are about to; without adopted_at: not yet';
COMMENT ON COLUMN pgvec.adoption.source IS 'the table; after the swap it is the leaf';
COMMENT ON COLUMN pgvec.adoption.columns IS 'the chunk table''s column to the table''s own name for it';
COMMENT ON COLUMN pgvec.adoption.intake IS
    'the partitioned table over the leaf that takes writes through the old name; its triggers carry them on';
COMMENT ON COLUMN pgvec.adoption.old_view IS 'the view that has the table''s name since';

CREATE TABLE pgvec.collection_grant (
    collection text NOT NULL REFERENCES pgvec.collection ON DELETE CASCADE,
    grantee regrole NOT NULL,
    privilege text NOT NULL CHECK (privilege IN ('read', 'write', 'worker')),
    granted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (collection, grantee, privilege)
);
COMMENT ON TABLE pgvec.collection_grant IS 'who may do what; every new leaf and view gets the same grants';
COMMENT ON COLUMN pgvec.collection_grant.grantee IS
    'the role by its OID: renaming it changes nothing, and a new role with its old name inherits nothing';

CREATE TABLE pgvec.version_event (
    event_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection text NOT NULL,
    model_version text,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    who text NOT NULL DEFAULT session_user,
    verb text NOT NULL,
    from_state text,
    to_state text,
    detail jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(detail) = 'object')
);
COMMENT ON TABLE pgvec.version_event IS 'append-only: who changed what, when, from which state to which';
CREATE INDEX version_event_collection ON pgvec.version_event (collection, model_version, event_id);


-- --- Writes: their order, deletes, and work for workers ---

-- The order of all writes: of two writes to a chunk the one with the later turn wins. A write draws its number after
-- its last wait for the row. No CACHE: a session that kept numbers for later would write with old ones.
CREATE SEQUENCE pgvec.turn AS bigint CACHE 1;
COMMENT ON SEQUENCE pgvec.turn IS 'orders writes and deletes of chunks; no clock orders them';

-- What one statement did to the rows of one version.
CREATE TYPE pgvec.version_chunks AS (model_version text, chunk_ids text[]);
-- A row of a version and who owns it under row-level security: the values of the columns that the policies use.
CREATE TYPE pgvec.owned_chunk AS (model_version text, chunk_id text, owner jsonb);

-- Append-only and without a unique key, so that two sessions that delete one chunk through two versions never wait for
-- each other. Rows stay while the collection has more than one leaf; see pgvec.prune_tombstones.
CREATE TABLE pgvec.tombstone (
    collection text NOT NULL,
    chunk_id text NOT NULL,
    turn bigint NOT NULL,
    deleted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted_in bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    owner jsonb
);
COMMENT ON TABLE pgvec.tombstone IS 'a deleted chunk: its rows with the same or an earlier turn do not come back';
COMMENT ON COLUMN pgvec.tombstone.deleted_at IS 'for pruning; turn gives the order';
COMMENT ON COLUMN pgvec.tombstone.owner IS 'who owned the deleted row; see pgvec.owner_of';
CREATE INDEX tombstone_chunk ON pgvec.tombstone (collection, chunk_id, turn);

-- No foreign keys: they would cost three look-ups for every chunk written during a transition. Only functions of schema
-- pgvec insert rows; abandon, retire_version and drop_collection delete them.
CREATE TABLE pgvec.work_item (
    item_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection text NOT NULL,
    source_version text NOT NULL,
    model_version text NOT NULL,
    lo text NOT NULL,
    hi text NOT NULL,
    revision integer NOT NULL DEFAULT 1,
    attempts integer NOT NULL DEFAULT 0,
    lease uuid,
    leased_until timestamptz,
    holder jsonb,
    last_error text,
    owner jsonb,
    set_aside_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (collection, model_version, source_version, lo, hi)
);
COMMENT ON TABLE pgvec.work_item IS 'chunk ids lo to hi of source_version that must still be carried to model_version';
COMMENT ON COLUMN pgvec.work_item.owner IS
    'who owned the row in model_version when a writer could change it (pgvec.owner_of); "any": planned by an operator';
COMMENT ON COLUMN pgvec.work_item.holder IS
    'whose session claimed it (pid, since), and whether that session lives as long as the worker (stays)';
COMMENT ON COLUMN pgvec.work_item.set_aside_at IS 'failed too often: waits for an operator, blocks ready';
CREATE INDEX work_item_claim ON pgvec.work_item (collection, model_version, item_id) WHERE set_aside_at IS NULL;
CREATE INDEX work_item_source ON pgvec.work_item (collection, source_version);


-- --- Evaluation, and the gate before a cut-over ---

CREATE TABLE pgvec.evaluation (
    evaluation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection text NOT NULL,
    model_version text NOT NULL,
    baseline_version text,
    kind text NOT NULL CHECK (kind IN ('labelled', 'known_item', 'recorded', 'shadow')),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    who text NOT NULL DEFAULT session_user,
    queries integer NOT NULL CHECK (queries >= 0),
    metrics jsonb NOT NULL CHECK (jsonb_typeof(metrics) = 'object'),
    baseline jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(baseline) = 'object'),
    detail jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(detail) = 'object'),
    chunks bigint,
    index_mark bigint,
    FOREIGN KEY (collection, model_version) REFERENCES pgvec.model_version ON DELETE CASCADE
);
COMMENT ON TABLE pgvec.evaluation IS
    'one row per run: the metrics of a version, and of the version it was compared with';
COMMENT ON COLUMN pgvec.evaluation.metrics IS
    'name to number, for model_version; baseline holds the same for baseline_version';
COMMENT ON COLUMN pgvec.evaluation.index_mark IS
    'which build of the index was measured; the gate ignores the row once the index is built again';
CREATE INDEX evaluation_newest ON pgvec.evaluation (collection, model_version, evaluation_id);

CREATE TABLE pgvec.gate (
    collection text PRIMARY KEY REFERENCES pgvec.collection ON DELETE CASCADE,
    bounds jsonb NOT NULL CHECK (jsonb_typeof(bounds) = 'object'),
    max_age interval NOT NULL CHECK (max_age > interval '0'),
    min_queries integer NOT NULL CHECK (min_queries >= 1),
    labelled boolean NOT NULL,
    max_changed double precision NOT NULL CHECK (max_changed >= 0),
    set_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    set_by text NOT NULL DEFAULT session_user
);
COMMENT ON TABLE pgvec.gate IS
    'what an evaluation must show before cut_over activates a version; without a row there is no gate';


-- --- Fingerprints: what a version's embedder made of fixed texts when the version was registered ---

CREATE TABLE pgvec.fingerprint (
    collection text NOT NULL,
    model_version text NOT NULL,
    fingerprint_id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    agrees boolean NOT NULL DEFAULT true,
    least_cosine double precision,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (collection, model_version),
    FOREIGN KEY (collection, model_version) REFERENCES pgvec.model_version ON DELETE CASCADE
);
COMMENT ON COLUMN pgvec.fingerprint.agrees IS
    'the verdict on the embedder that was checked last; each change is an event';

CREATE TABLE pgvec.canary (
    collection text NOT NULL,
    model_version text NOT NULL,
    canary text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('document', 'query')),
    content text NOT NULL,
    checked boolean NOT NULL,
    embedding real[] NOT NULL,
    PRIMARY KEY (collection, model_version, canary, kind),
    FOREIGN KEY (collection, model_version) REFERENCES pgvec.fingerprint ON DELETE CASCADE
);
COMMENT ON COLUMN pgvec.canary.checked IS
    'whether it is embedded again each time an embedder is checked against the version';


-- --- Retirement: settings, holds, what was kept, what each run did ---

CREATE TABLE pgvec.retirement_setting (
    collection text PRIMARY KEY REFERENCES pgvec.collection ON DELETE CASCADE,
    on_retire text NOT NULL DEFAULT 'drop' CHECK (on_retire IN ('drop', 'archive', 'export')),
    read_window interval NOT NULL DEFAULT '1 hour' CHECK (read_window >= interval '0')
);
COMMENT ON TABLE pgvec.retirement_setting IS 'how a collection retires its versions; without a row the defaults apply';
COMMENT ON COLUMN pgvec.retirement_setting.read_window IS
    'a due version that was searched within this time is not retired; zero: searches do not matter';

CREATE TABLE pgvec.retirement_hold (
    collection text NOT NULL,
    model_version text NOT NULL,
    reason text NOT NULL CHECK (reason <> ''),
    held_by text NOT NULL DEFAULT session_user,
    held_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (collection, model_version),
    FOREIGN KEY (collection, model_version) REFERENCES pgvec.model_version ON DELETE CASCADE
);
COMMENT ON TABLE pgvec.retirement_hold IS 'versions that an operator keeps from retirement';

CREATE TABLE pgvec.archive (
    collection text NOT NULL,
    model_version text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('table', 'file')),
    location text NOT NULL,
    format text CHECK (format IN ('parquet', 'copy')),
    chunks bigint CHECK (chunks >= 0),
    bytes bigint NOT NULL CHECK (bytes >= 0),
    sha256 text CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    columns text[] NOT NULL,
    archived_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    archived_by text NOT NULL DEFAULT session_user,
    PRIMARY KEY (collection, model_version, kind),
    FOREIGN KEY (collection, model_version) REFERENCES pgvec.model_version ON DELETE CASCADE,
    CHECK ((kind = 'file') = (sha256 IS NOT NULL AND format IS NOT NULL AND chunks IS NOT NULL))
);
COMMENT ON TABLE pgvec.archive IS
    'what was kept of a version, enough to restore it: its detached leaf in pgvec_archive, or a file';

CREATE TABLE pgvec.leaf_reads (
    collection text NOT NULL,
    model_version text NOT NULL,
    searches bigint NOT NULL,
    looked_at timestamptz NOT NULL,
    rose_at timestamptz,
    PRIMARY KEY (collection, model_version),
    FOREIGN KEY (collection, model_version) REFERENCES pgvec.model_version ON DELETE CASCADE
);
COMMENT ON TABLE pgvec.leaf_reads IS
    'searches counted at the last run; for PostgreSQL 15, whose statistics do not say when an index was last used';

CREATE TABLE pgvec.retirement_run (
    run_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    who text NOT NULL DEFAULT session_user,
    pid integer NOT NULL DEFAULT pg_backend_pid(),
    did jsonb NOT NULL DEFAULT '[]',
    refused jsonb NOT NULL DEFAULT '[]',
    pruned bigint NOT NULL DEFAULT 0,
    outcome text CHECK (outcome IN ('succeeded', 'failed', 'left to another run')),
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
);
COMMENT ON TABLE pgvec.retirement_run IS 'one row per run of pgvec.retire_due; no end: it is running or was killed';

-- The session that locks this row is the one run of pgvec.retire_due. To lock it you need privileges on this table.
CREATE TABLE pgvec.retirement_lock (
    one boolean PRIMARY KEY DEFAULT true CHECK (one)
);
COMMENT ON TABLE pgvec.retirement_lock IS 'one row: the session that locks it is the one run of pgvec.retire_due';
INSERT INTO pgvec.retirement_lock DEFAULT VALUES;


-- --- Who sees which rows ---
-- A role with a grant sees the rows of its own collections. The owner of a table, a superuser and a role with BYPASSRLS
-- see every row, as always; so does a member of pg_read_all_data.
-- The guard reads one row of model_version for every query, so each policy is one look-up by a key.

ALTER TABLE pgvec.collection_grant ENABLE ROW LEVEL SECURITY;
CREATE POLICY granted ON pgvec.collection_grant FOR SELECT USING (pg_has_role(grantee, 'USAGE'));
CREATE POLICY all_data ON pgvec.collection_grant FOR SELECT TO pg_read_all_data USING (true);
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['collection', 'model_version', 'fingerprint', 'canary'] LOOP
        EXECUTE format('ALTER TABLE pgvec.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY granted ON pgvec.%1$I FOR SELECT USING (EXISTS ('
                       'SELECT FROM pgvec.collection_grant g WHERE g.collection = %1$I.collection))', name);
        EXECUTE format('CREATE POLICY all_data ON pgvec.%I FOR SELECT TO pg_read_all_data USING (true)', name);
    END LOOP;
END
$$;
