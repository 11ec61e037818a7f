"""A transition in the middle: v1 active and written to, v2 half filled, a claim held, work open."""

from __future__ import annotations

from datetime import timedelta

import psycopg

from pgvec_versions import Chunk, ChunkStore, Transition, Worker
from pgvec_versions.postgres.database import close_shared_engines
from pgvec_versions.postgres.install import install
from tests.end_states import same, serves
from tests.faults.looks import Connection, assert_catalog_agrees, one, rows_by_version, tiny
from tests.sql.helpers import refused
from tests.tools import TinyEmbedder, literal

EMBEDDERS: dict[str, TinyEmbedder] = {"v1": tiny("v1"), "v2": tiny("v2")}
CHUNKS = 60


def begin(url: str) -> None:
    """Brings a database to that point: three of six items done, one claimed, one chunk edited."""
    with psycopg.connect(url, autocommit=True) as db:
        install(db)
        for collection, options in (("docs", ""), ("notes", ", id_type => 'bigint'")):
            db.execute(f"SELECT pgvec.create_collection('{collection}'{options})".encode())
            Transition(url, collection, "v1", EMBEDDERS["v1"]).run(cut_over=True)
        store = ChunkStore(url, "docs", EMBEDDERS)
        store.add([Chunk(f"text {number}", "book", number) for number in range(CHUNKS)])
        two = Transition(url, "docs", "v2", EMBEDDERS["v2"], chunks_per_item=10)
        two.begin()
        worker = two.worker()
        while one(db, "SELECT count(*) FROM docs WHERE model_version = 'v2'") < CHUNKS // 2:
            worker.run_once()
        # A worker that is gone by the time anybody looks.
        assert db.execute("SELECT * FROM pgvec.claim_work('docs', '{v2}', 1)").fetchall()
        store.add([Chunk("edited", "book", 0)], keep_others=True)
        insert_note(db, "first")
    close_shared_engines()


def insert_note(db: Connection, content: str) -> None:
    """A chunk whose id comes from the sequence."""
    db.execute(
        "INSERT INTO notes (model_version, content, embedding) VALUES ('v1', %s, %s)",
        (content, literal(EMBEDDERS["v1"].vector(content))),
    )


def finish(url: str) -> None:
    """Goes on where the work stands, to the very end; asserts each promise on the way."""
    with psycopg.connect(url, autocommit=True) as db:
        states = assert_catalog_agrees(db)
        assert {label: v.state for label, v in states.items()} == {"v1": "active", "v2": "building"}
        serves(db, "v1", "text 7", EMBEDDERS["v1"])
        refused(db, "PV006", "SELECT pgvec.make_ready('docs', 'v2')")
        refused(
            db, "PV021", "UPDATE docs SET content = 'x' WHERE model_version = 'v1' AND position = 1"
        )
        # The claim of the worker that is gone runs out.
        db.execute("UPDATE pgvec.work_item SET leased_until = now() WHERE lease IS NOT NULL")
        ChunkStore(url, "docs", EMBEDDERS).add(["written afterwards"])
        insert_note(db, "second")
        two = Transition(url, "docs", "v2", EMBEDDERS["v2"])
        two.run(cut_over=True)
        rows_by_version(db, EMBEDDERS)
        # "edited" took the place of "text 0".
        texts = (f"text {number}" for number in range(1, CHUNKS))
        same(db, ["edited", "written afterwards", *texts])
        serves(db, "v2", "text 7", EMBEDDERS["v2"])
        assert one(db, "SELECT pgvec.roll_back('docs')") == "v1"
        assert one(db, "SELECT pgvec.roll_back('docs')") == "v2"
        Worker(url, "docs", EMBEDDERS, lease=timedelta(seconds=5)).drain()
        db.execute(
            "UPDATE pgvec.model_version SET retire_at = now() - interval '1 s'"
            " WHERE state = 'draining'"
        )
        db.execute("CALL pgvec.retire_due()")
        states = assert_catalog_agrees(db)
        assert {label: v.state for label, v in states.items()} == {"v1": "retired", "v2": "active"}
        ids = [row[0] for row in db.execute("SELECT chunk_id FROM notes ORDER BY 1")]
        assert len(set(ids)) == 2
    close_shared_engines()
