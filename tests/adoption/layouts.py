"""Tables that people and libraries have: how each is made, and how a row is written."""

from __future__ import annotations

from dataclasses import dataclass, field

PLAIN = "id bigint PRIMARY KEY, content text, metadata jsonb, embedding vector(8)"
INSERT = (
    "INSERT INTO store (id, content, metadata, embedding) VALUES ({n}, 'text {n}', '{{}}', {v})"
)


@dataclass(frozen=True)
class Layout:
    """A table. ``make`` creates it and ``insert`` writes row ``{n}`` with the vector ``{v}``."""

    name: str
    make: str
    insert: str = INSERT
    table: str = "store"
    columns: dict[str, str] = field(default_factory=dict)
    """What is given with ``--column``."""
    check: str = "SELECT 1"
    """A query of the application: its answer stays the same."""


def _keyed(type_name: str, insert_key: str) -> Layout:
    return Layout(
        f"key of type `{type_name}`",
        f"CREATE TABLE store ({PLAIN.replace('bigint', type_name)})",
        INSERT.replace("({n},", f"({insert_key},"),
    )


LIBRARIES = [
    Layout(
        "LangChain `PGVectorStore`",
        """CREATE TABLE store (langchain_id uuid PRIMARY KEY, content text NOT NULL,
                               embedding vector(8) NOT NULL, langchain_metadata json)""",
        """INSERT INTO store VALUES (md5('{n}')::uuid, 'text {n}', {v}, '{{"n": {n}}}')
           ON CONFLICT (langchain_id) DO UPDATE SET content = excluded.content""",
    ),
    Layout(
        "LangChain `PGVector` (`langchain_pg_embedding`)",
        """CREATE TABLE langchain_pg_collection (uuid uuid PRIMARY KEY, name varchar NOT NULL
                                                 UNIQUE, cmetadata json);
           CREATE TABLE store (id varchar PRIMARY KEY, collection_id uuid REFERENCES
               langchain_pg_collection ON DELETE CASCADE, embedding vector, document varchar,
               cmetadata jsonb);
           CREATE INDEX ON store USING gin (cmetadata jsonb_path_ops);
           INSERT INTO langchain_pg_collection VALUES (md5('a')::uuid, 'a'), (md5('b')::uuid, 'b')
        """,
        """INSERT INTO store VALUES ('id {n}', md5(CASE {n} % 2 WHEN 0 THEN 'a' ELSE 'b' END)::uuid,
                                     {v}, 'text {n}', '{{}}')""",
    ),
    Layout(
        "LlamaIndex `PGVectorStore` (`data_…`)",
        """CREATE TABLE store (id bigserial PRIMARY KEY, text varchar NOT NULL, metadata_ json,
                               node_id varchar, embedding vector(8));
           CREATE INDEX store_idx_1 ON store ((metadata_ ->> 'ref_doc_id'))""",
        """INSERT INTO store (text, metadata_, node_id, embedding)
           VALUES ('text {n}', '{{"ref_doc_id": {n}}}', 'node {n}', {v})""",
    ),
    Layout(
        "LlamaIndex with `use_jsonb` and `hybrid_search`",
        """CREATE TABLE store (id bigserial PRIMARY KEY, text varchar NOT NULL, metadata_ jsonb,
                               node_id varchar, embedding halfvec(8), text_search_tsv tsvector
                               GENERATED ALWAYS AS (to_tsvector('english', text)) STORED);
           CREATE INDEX store_idx ON store USING gin (text_search_tsv);
           CREATE INDEX store_idx_1 ON store ((metadata_ ->> 'ref_doc_id'))""",
        """INSERT INTO store (text, metadata_, node_id, embedding)
           VALUES ('text {n}', '{{}}', 'node {n}', {v})""",
    ),
    Layout(
        "Haystack `PgvectorDocumentStore`",
        """CREATE TABLE store (id varchar(128) PRIMARY KEY, embedding vector(8), content text,
                               blob_data bytea, blob_meta jsonb, blob_mime_type varchar(255),
                               meta jsonb);
           CREATE INDEX haystack_keyword_index ON store USING gin (to_tsvector('english', content))
        """,
        "INSERT INTO store (id, embedding, content) VALUES ('id {n}', {v}, 'text {n}')",
    ),
    Layout(
        "vecs (schema `vecs`)",
        """CREATE SCHEMA vecs;
           CREATE TABLE vecs.store (id varchar PRIMARY KEY, vec vector(8) NOT NULL,
                                    metadata jsonb NOT NULL DEFAULT '{}')""",
        "INSERT INTO vecs.store VALUES ('id {n}', {v}, '{{}}')",
        "vecs.store",
    ),
    Layout(
        "Supabase's `documents`, `match_documents` returns a `table (…)`",
        """CREATE TABLE store (id bigserial PRIMARY KEY, content text, metadata jsonb,
                               embedding vector(8));
           CREATE FUNCTION match_store(query vector(8), filter jsonb DEFAULT '{}')
               RETURNS TABLE (id bigint, content text, similarity float) LANGUAGE plpgsql AS $$
               #variable_conflict use_column
               BEGIN
                   RETURN QUERY SELECT id, content, 1 - (store.embedding <=> query) FROM store
                                 WHERE metadata @> filter ORDER BY store.embedding <=> query;
               END $$""",
        "INSERT INTO store (content, metadata, embedding) VALUES ('text {n}', '{{}}', {v})",
        check="SELECT m.id FROM match_store('[1,2,3,4,5,6,7,8]') m LIMIT 3",
    ),
    Layout(
        "Supabase's `documents`, `match_documents` returns `setof documents`",
        """CREATE TABLE store (id bigserial PRIMARY KEY, content text, metadata jsonb,
                               embedding vector(8));
           CREATE FUNCTION match_store(query vector(8), count int) RETURNS SETOF store
               LANGUAGE sql STABLE AS
               $$ SELECT * FROM store ORDER BY store.embedding <=> query LIMIT count $$""",
        "INSERT INTO store (content, metadata, embedding) VALUES ('text {n}', '{{}}', {v})",
    ),
    Layout(
        "a pgai store with its view",
        """CREATE TABLE blog (id bigint PRIMARY KEY, body text);
           CREATE TABLE store (embedding_uuid uuid PRIMARY KEY DEFAULT gen_random_uuid(),
                               id bigint NOT NULL, chunk_seq int NOT NULL, chunk text NOT NULL,
                               embedding vector(8) NOT NULL, UNIQUE (id, chunk_seq));
           CREATE VIEW blog_embedding AS SELECT s.*, b.body FROM store s JOIN blog b USING (id)""",
        """INSERT INTO store (id, chunk_seq, chunk, embedding)
           VALUES ({n}, 0, 'text {n}', {v})""",
    ),
]

TABLES = [
    Layout("`documents(id, content, metadata, embedding)`", f"CREATE TABLE store ({PLAIN})"),
    _keyed("uuid", "md5('{n}')::uuid"),
    _keyed("integer", "{n}"),
    _keyed("text", "'id {n}'"),
    _keyed("varchar(40)", "'id {n}'"),
    _keyed("smallint", "{n}"),
    Layout(
        "an identity column as key",
        f"""CREATE TABLE store (
            {PLAIN.replace("PRIMARY KEY", "GENERATED ALWAYS AS IDENTITY PRIMARY KEY")})""",
        "INSERT INTO store (content, metadata, embedding) VALUES ('text {n}', '{{}}', {v})",
    ),
    Layout(
        "a key of two columns",
        """CREATE TABLE store (tenant int, id bigint, content text, metadata jsonb,
                               embedding vector(8), PRIMARY KEY (tenant, id))""",
        INSERT.replace("(id,", "(tenant, id,").replace("({n},", "(1, {n},"),
    ),
    Layout(
        "no key",
        "CREATE TABLE store (id bigint, content text, metadata jsonb, embedding vector(8))",
    ),
    Layout(
        "foreign keys to and from the table",
        f"""CREATE TABLE tenant (id int PRIMARY KEY); INSERT INTO tenant VALUES (1);
            CREATE TABLE store ({PLAIN}, tenant int DEFAULT 1 REFERENCES tenant);
            CREATE TABLE note (store bigint REFERENCES store ON DELETE CASCADE)""",
    ),
    Layout(
        "a foreign key to itself",
        f"CREATE TABLE store ({PLAIN}, parent bigint REFERENCES store)",
    ),
    Layout(
        "indexes of its own",
        f"""CREATE TABLE store ({PLAIN}); CREATE INDEX ON store USING gin (metadata);
            CREATE INDEX ON store (lower(content)) WHERE id > 5;
            CREATE INDEX ON store USING hnsw (embedding vector_cosine_ops)""",
    ),
    Layout(
        "a unique index of its own",
        f"CREATE TABLE store ({PLAIN}, slug text UNIQUE)",
    ),
    Layout(
        "a generated column",
        f"""CREATE TABLE store ({PLAIN}, words tsvector GENERATED ALWAYS AS
                (to_tsvector('simple', coalesce(content, ''))) STORED)""",
    ),
    Layout(
        "columns of other types: enum, array, domain",
        f"""CREATE TYPE kind AS ENUM ('a', 'b'); CREATE DOMAIN short AS varchar(9);
            CREATE TABLE store ({PLAIN}, kind kind DEFAULT 'a', tags text[] DEFAULT '{{x}}',
                                short short DEFAULT 'y', price numeric(8, 2) DEFAULT 1)""",
    ),
    Layout(
        "names that need quotes",
        """CREATE TABLE store (id bigint PRIMARY KEY, content text, metadata jsonb,
                               embedding vector(8), "Größe" int DEFAULT 3, "order" text)""",
    ),
    Layout(
        "columns named `turn`, `position`, `written_at`",
        f"CREATE TABLE store ({PLAIN}, turn int DEFAULT 1, position text, written_at date)",
    ),
    Layout(
        "a trigger of its own",
        f"""CREATE TABLE store ({PLAIN});
            CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
            CREATE TRIGGER noted BEFORE INSERT ON store FOR EACH ROW EXECUTE FUNCTION noted()""",
    ),
    Layout(
        "row-level security",
        f"""CREATE TABLE store ({PLAIN}, owner text DEFAULT current_user);
            ALTER TABLE store ENABLE ROW LEVEL SECURITY;
            CREATE POLICY own ON store USING (owner = current_user)""",
    ),
    Layout(
        "grants and comments",
        f"""CREATE TABLE store ({PLAIN}); GRANT SELECT, INSERT ON store TO PUBLIC;
            COMMENT ON TABLE store IS 'ours'; COMMENT ON COLUMN store.content IS 'the text'""",
    ),
    Layout(
        "a column elsewhere of the table's row type",
        f"CREATE TABLE store ({PLAIN}); CREATE TABLE log (old store)",
    ),
    Layout(
        "a function with its body parsed (`BEGIN ATOMIC`)",
        f"""CREATE TABLE store ({PLAIN}); CREATE FUNCTION counted() RETURNS bigint LANGUAGE sql
            BEGIN ATOMIC SELECT count(*) FROM store; END""",
    ),
    Layout(
        "a view of it",
        f"CREATE TABLE store ({PLAIN}); CREATE VIEW shown AS SELECT content FROM store",
    ),
    Layout(
        "in a publication",
        f"CREATE TABLE store ({PLAIN}); CREATE PUBLICATION p FOR TABLE store",
    ),
    Layout(
        "partitioned",
        f"""CREATE TABLE store ({PLAIN}) PARTITION BY RANGE (id);
            CREATE TABLE part PARTITION OF store DEFAULT""",
    ),
    Layout("`halfvec`", f"CREATE TABLE store ({PLAIN.replace('vector', 'halfvec')})"),
    Layout(
        "two vector columns, one named",
        f"CREATE TABLE store ({PLAIN}, title_embedding vector(8))",
        columns={"embedding": "embedding"},
    ),
    Layout("two vector columns", f"CREATE TABLE store ({PLAIN}, title_embedding vector(8))"),
    Layout(
        "rows without a vector",
        f"CREATE TABLE store ({PLAIN}); INSERT INTO store VALUES (0, 'x')",
    ),
    Layout(
        "rows without a text",
        f"CREATE TABLE store ({PLAIN}); INSERT INTO store (id, embedding)"
        " VALUES (0, '[1,2,3,4,5,6,7,8]')",
    ),
    Layout(
        "vectors of two lengths",
        f"CREATE TABLE store ({PLAIN.replace('(8)', '')});"
        " INSERT INTO store VALUES (0, 'x', '{}', '[1,2]')",
    ),
]
