"""The steps of ``pgvec demo``, one method each, in the order in which it takes them."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psycopg
from psycopg import sql
from sqlalchemy import Engine

from pgvec_versions.catalog import read_collection, status_rows
from pgvec_versions.chunks.splitting import split_text
from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.cli.demo_questions import QUESTIONS, score
from pgvec_versions.cli.printing import console, print_lines, styled
from pgvec_versions.cli.starter_file import SMALL_MODEL, SMALL_MODEL_REVISION
from pgvec_versions.cli.status import print_status
from pgvec_versions.embedders import SentenceTransformerEmbedder, StaticTokenEmbedder
from pgvec_versions.embedders.protocol import Embedder
from pgvec_versions.errors import QueryVersionMismatch, QueryVersionNotDeclared, error_for
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import autocommitted, engine_for, transaction
from pgvec_versions.postgres.install import install
from pgvec_versions.postgres.rows import read_row, read_rows
from pgvec_versions.postgres.vectors import pack
from pgvec_versions.retirement.job import retire_due
from pgvec_versions.upgrade.transition import Progress, Transition, roll_back
from pgvec_versions.values import Chunk, Hit, QueryVector

if TYPE_CHECKING:
    from pgvec_versions.postgres.embedded import EmbeddedServer

DATABASE = "pgvec_demo"
MODEL, REVISION = SMALL_MODEL, SMALL_MODEL_REVISION
COLLECTION, OLD, NEW = "docs", "static-1", "minilm-1"
#: Short enough to wait for.
GRACE = timedelta(seconds=3)

#: Length of a chunk: about a paragraph. Units: characters.
_CHUNK_CHARS = 800
#: Hits of a question; of a comparison that must not depend on what was written meanwhile.
_HITS, _MANY_HITS = 5, 20
#: Between two lines about the backfill, so that there are a few of them. Units: seconds.
_BETWEEN_LINES = 5.0
#: Between two questions during the backfill: the model gets most of the processor. Units: seconds.
_BETWEEN_QUESTIONS = 0.1
#: Questions asked before the app writes: the backfill is in full swing by then.
_QUESTIONS_BEFORE_WRITES = 20
#: Python's clock and the server's may differ by a few milliseconds. Units: seconds.
_CLOCKS_DIFFER = 0.05
#: Chunks in a work item: a small corpus still makes a dozen of them.
_CHUNKS_PER_ITEM = 64

_NOTE = "Team note: retries of the nightly import are configured in import.toml."
_EDIT = "The pass statement does nothing at all; it only fills a place. (edited)"
_LATER_NOTE = "Team note: the release train leaves on Thursdays."
_DELETED = "bltin-ellipsis-object"
#: Documents that the demo writes: their answers change for a good reason.
_WRITTEN = frozenset({"team-notes", "pass", _DELETED})


def _corpus() -> list[Chunk]:
    from pydoc_data.topics import topics

    return [
        Chunk(piece, topic, position, {"topic": topic})
        for topic, text in topics.items()
        for position, piece in enumerate(split_text(text, _CHUNK_CHARS))
    ]


def _topics(answers: Sequence[Sequence[Hit]]) -> list[list[str | None]]:
    return [[hit.document_id for hit in found] for found in answers]


def _say(text: str) -> None:
    print_lines(f"    {text}")


class Demo:
    """A collection that moves from one embedding model to another, under live traffic."""

    def __init__(self) -> None:
        self.server: EmbeddedServer
        self.engine: Engine
        self.old = StaticTokenEmbedder(MODEL, revision=REVISION)
        self.new = SentenceTransformerEmbedder(MODEL, revision=REVISION)
        self.embedders: dict[str, Embedder] = {OLD: self.old, NEW: self.new}
        self.store: ChunkStore
        self.upgrade: Transition
        self._began = time.monotonic()
        self._step = 0

    def headline(self, text: str) -> None:
        """Begins a step: its number, what it does, the seconds since the start."""
        self._step += 1
        seconds = f"  ({time.monotonic() - self._began:.0f} s)"
        console.print()
        console.print(styled((f"{self._step:2}. {text}", "bold"), (seconds, "dim")))

    def show_status(self) -> None:
        """Prints what ``pgvec status`` prints."""
        with autocommitted(self.engine) as raw:
            print_status(status_rows(raw, COLLECTION))

    def start_a_server(self, folder: Path) -> None:
        """A new database with the catalog and an empty collection; an earlier demo's is dropped."""
        from pgvec_versions.postgres.embedded import embedded_server

        self.headline("An embedded PostgreSQL with pgvector, the catalog, a collection")
        self.server = embedded_server(folder, keep_running=True)
        drop = sqlfiles.query("drop_database").format(database=sql.Identifier(DATABASE))
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as admin:
            admin.execute(drop)
        self.engine = engine_for(self.server.url(DATABASE))
        with transaction(self.engine) as raw:
            install(raw)
            raw.execute(
                sqlfiles.query("create_collection"),
                {
                    "collection": COLLECTION,
                    "distance": "cosine",
                    "storage": "vector",
                    "id_type": "uuid",
                    "retire_after": GRACE,
                    "require_query_version": True,
                    "follow_while_draining": True,
                },
            )
            server = read_row(raw, sqlfiles.query("server"))
        _say(
            f"PostgreSQL {server.server_version}, pgvector {server.vector_version}; "
            f"collection {COLLECTION}, retire_after {GRACE.seconds} seconds (for the demo)"
        )

    def index_the_corpus(self) -> None:
        """The first version is filled and answers."""
        self.headline(f"Day one: {OLD} indexes the Python language reference")
        Transition(self.engine, COLLECTION, OLD, self.old).run(cut_over=True)
        # The app is deployed with both embedders before the upgrade; the database says which one
        # to use.
        self.store = ChunkStore(self.engine, COLLECTION, self.embedders)
        corpus = _corpus()
        began = time.monotonic()
        result = self.store.add(corpus)
        _say(
            f"{result.added} chunks of {len({c.document_id for c in corpus})} topics "
            f"in {time.monotonic() - began:.1f} s; each row says model_version = '{OLD}'"
        )
        self.before = self._ask()
        # Exact: an approximate index may answer a little differently after a vacuum.
        self.before_exact = self._ask(_MANY_HITS, exact=True)
        self.old_vectors = {question: self.store.embed_query(question) for question, _ in QUESTIONS}
        _say(f"{len(QUESTIONS)} questions, k = {_HITS}: {score(_topics(self.before))}")

    def _ask(self, k: int = _HITS, exact: bool = False) -> list[list[Hit]]:
        return [self.store.search(question, k, exact=exact) for question, _ in QUESTIONS]

    def begin_the_upgrade(self) -> None:
        """The new version is registered and follows every write."""
        self.headline(
            f"A better model comes: {NEW}, the real all-MiniLM-L6-v2. Same dimension, on purpose"
        )
        self.upgrade = Transition(
            self.engine, COLLECTION, NEW, self.new, chunks_per_item=_CHUNKS_PER_ITEM
        )
        items = self.upgrade.begin()
        _say(
            f"registered; {items} work items planned; "
            "from now on every write is carried to both versions"
        )

    def backfill_while_the_app_works(self) -> None:
        """A worker embeds everything again, while questions are asked and chunks are written."""
        self.headline("Backfill, while the app goes on asking and writing")
        failures: list[BaseException] = []

        def fill() -> None:
            try:
                self.upgrade.backfill(_ProgressLines())
            except BaseException as exc:
                failures.append(exc)

        worker = threading.Thread(target=fill, name="backfill")
        worker.start()
        asked, versions, waits = 0, set[str](), list[float]()
        while worker.is_alive():
            began = time.monotonic()
            hits = self.store.search(QUESTIONS[asked % len(QUESTIONS)][0], _HITS)
            waits.append(time.monotonic() - began)
            versions |= {hit.model_version for hit in hits}
            asked += 1
            if asked == _QUESTIONS_BEFORE_WRITES:
                self._write()
            worker.join(_BETWEEN_QUESTIONS)
        if failures:
            raise failures[0]
        if asked < _QUESTIONS_BEFORE_WRITES:
            self._write()
        _say(
            f"{asked} questions answered during the backfill, "
            f"every one by {', '.join(sorted(versions))}, "
            f"median {float(np.median(waits)) * 1000:.1f} ms"
        )

    def _write(self) -> None:
        added = self.store.add([Chunk(_NOTE, "team-notes", 0)])
        edited = self.store.add([Chunk(_EDIT, "pass", 0)])
        deleted = self.store.delete(document_ids=[_DELETED])
        _say(
            f"meanwhile, through {OLD}: {added.added} chunk added, "
            f"{edited.replaced} edited, {deleted} deleted"
        )

    def make_ready(self) -> None:
        """The index is built and everything is checked."""
        self.headline("Index after the load, then the checks, then ready")
        began = time.monotonic()
        self.upgrade.build_index()
        _say(f"HNSW built in {time.monotonic() - began:.1f} s")
        self.upgrade.catch_up()
        self.upgrade.make_ready()
        self.show_status()

    def cut_over(self) -> None:
        """Queries go to the new version."""
        self.headline("Cut over: one transaction")
        began = time.monotonic()
        previous = self.upgrade.cut_over()
        _say(
            f"{previous} → {NEW} in {(time.monotonic() - began) * 1000:.0f} ms; "
            "no row was rewritten"
        )

    def try_an_old_vector(self) -> None:
        """The guard refuses a vector of the old model; shows what it prevented."""
        self.headline("An old query vector meets the new rows: refused, though the dimensions fit")
        stale = self.old_vectors[QUESTIONS[0][0]]
        _say("SQL, declared: " + self._refusal(OLD, stale))
        _say("SQL, silent:   " + self._refusal(None, stale))
        try:
            self.store.search(stale, _HITS)
        except QueryVersionMismatch as exc:
            _say(f"Python:        {exc.sqlstate}: {exc.message}")
        wrong = self._answers_without_the_guard()
        self.after = self._ask()
        shares = [
            len(set(w) & set(a)) / max(len(set(a)), 1)
            for w, a in zip(wrong, _topics(self.after), strict=True)
        ]
        _say(
            f"without the guard the database would have answered, without an error: {score(wrong)};"
        )
        _say(
            f"only {float(np.mean(shares)):.0%} of the right answer's topics would have been in it"
        )

    def _refusal(self, declared: str | None, vector: QueryVector) -> str:
        """What the routing view says to a psql user who declares ``declared``."""
        declare = sqlfiles.query("declare_query_version")
        setting = f"pgvec.query_version.{COLLECTION}"
        text = "[" + ",".join(f"{x:.6f}" for x in vector.vector) + "]"
        rank = sqlfiles.query("rank_view").format(view=sql.Identifier(f"active_{COLLECTION}"))
        with autocommitted(self.engine) as raw:
            if declared is not None:
                raw.execute(declare, {"name": setting, "value": declared})
            try:
                raw.execute(rank, {"query": text})
            except psycopg.Error as exc:
                known = error_for(exc)
                if not isinstance(known, QueryVersionMismatch | QueryVersionNotDeclared):
                    raise
                return f"{known.sqlstate}: {known.message}"
            finally:
                raw.execute(declare, {"name": setting, "value": ""})
        raise AssertionError("the guard let a foreign vector through")

    def _answers_without_the_guard(self) -> list[list[str | None]]:
        """Old query vectors ranked against new rows, past the guard."""
        vectors = pack(self.old.embed_queries([question for question, _ in QUESTIONS]))
        with autocommitted(self.engine) as raw:
            leaf = read_collection(raw, COLLECTION).version(NEW).leaf
            rank = sqlfiles.query("rank_leaf").format(leaf=sql.Identifier("pgvec_leaves", leaf))
            return [
                [row.document_id for row in read_rows(raw, rank, {"query": vector, "k": _HITS})]
                for vector in vectors
            ]

    def compare_answers(self) -> None:
        """What the new model is worth."""
        self.headline("The same questions, before and after")
        before, after = _topics(self.before), _topics(self.after)
        for (text, right), old, new in zip(QUESTIONS, before, after, strict=True):
            marks = ["✓" if set(topics) & right else "✗" for topics in (old, new)]
            _say(f"{marks[0]} → {marks[1]}  {text}  [{new[0]}]")
        _say(f"{OLD:9} {score(before)}")
        _say(f"{NEW:9} {score(after)}")

    def roll_back_and_forward(self) -> None:
        """Nothing that was written is lost, in either direction."""
        self.headline("Roll back, and forward again, without loss")
        self.store.add([Chunk(_LATER_NOTE, "team-notes", 1)], keep_others=True)
        began = time.monotonic()
        back = roll_back(self.engine, COLLECTION, self.embedders)
        took = time.monotonic() - began
        kept = sum(
            _ids_of_others(old) == _ids_of_others(new)
            for old, new in zip(self.before_exact, self._ask(_MANY_HITS, exact=True), strict=True)
        )
        found = self.store.search(_LATER_NOTE, 1)[0]
        _say(f"back on {back} in {took:.2f} s (the note written since was embedded for it first)")
        _say(
            f"{kept} of {len(QUESTIONS)} answers as before, except for documents written since; "
            f"the note is there too: {found.content == _LATER_NOTE} ({found.model_version})"
        )
        forward = roll_back(self.engine, COLLECTION, self.embedders)
        found = self.store.search(_LATER_NOTE, 1)[0]
        _say(f"forward to {forward}; the note: {found.content == _LATER_NOTE} ({forward})")

    def retire(self) -> None:
        """The old version goes when its grace period is over."""
        self.headline(f"The grace period of {OLD} passes; the job retires it")
        with autocommitted(self.engine) as raw:
            due = read_collection(raw, COLLECTION).version(OLD).retire_at
        assert due is not None
        while (left := due.timestamp() - time.time()) > -_CLOCKS_DIFFER:
            time.sleep(max(left, _CLOCKS_DIFFER))
        for gone in retire_due(self.engine):
            _say(
                f"CALL pgvec.retire_due(): {gone.model_version} {gone.outcome}, "
                f"{gone.bytes / 1024**2:.1f} MB freed, no vacuum"
            )
        self.show_status()


def _ids_of_others(found: Sequence[Hit]) -> list[str]:
    """The first hits that the demo did not write itself."""
    return [hit.chunk_id for hit in found if hit.document_id not in _WRITTEN][:_HITS]


class _ProgressLines:
    """A line about the backfill every few seconds."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, progress: Progress) -> None:
        if progress.report is None or time.monotonic() - self._last <= _BETWEEN_LINES:
            return
        self._last = time.monotonic()
        rate = progress.done / max(progress.seconds, 0.001)
        left = (progress.total - progress.done) / rate if rate else 0
        _say(
            f"{progress.done:>4} of {progress.total} chunks"
            + (f", {rate:.0f}/s, {left:.0f} s left" if progress.done else "")
        )
