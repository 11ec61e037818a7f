"""Fingerprints: an embedder with the right name that makes other vectors is never used."""

from __future__ import annotations

import gc
import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine

from pgvec_versions.catalog import read_collection
from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.embedders import EmbedderIdentity
from pgvec_versions.embedders.by_version import BoundEmbedders
from pgvec_versions.embedders.canaries import CANARIES, CHECKED
from pgvec_versions.embedders.fingerprints import (
    declare_equivalent,
    make_canaries,
    store_fingerprint,
)
from pgvec_versions.errors import (
    EmbedderFailed,
    EmbedderMismatch,
    EmbedderUnavailable,
    FingerprintMismatch,
    FingerprintMissing,
    FingerprintTooLate,
)
from pgvec_versions.postgres.database import autocommitted
from pgvec_versions.upgrade.transition import Transition
from pgvec_versions.upgrade.worker import Worker, WorkerReport
from tests.db.helpers import contents, create_collection, execute, open_store
from tests.tools import TinyEmbedder

CHECKED_COUNT = sum(map(len, CHECKED.values()))


class Impostor(TinyEmbedder):
    """Says that it is ``name``, and makes the vectors of another seed."""

    name = "a"

    @property
    def identity(self) -> EmbedderIdentity:
        return TinyEmbedder(self.name).identity


class Elsewhere(TinyEmbedder):
    """The same vectors, served by somebody else."""

    @property
    def identity(self) -> EmbedderIdentity:
        return EmbedderIdentity("elsewhere", f"tiny-{self.seed}", "1", {})


class Scaled(TinyEmbedder):
    """The same directions, of another length."""

    def embed_documents(self, texts: Sequence[str]) -> Any:
        return super().embed_documents(texts) * np.float32(1.1)


class QueriesOff(TinyEmbedder):
    """Documents as they should be, queries with a prefix that nobody declared."""

    def embed_queries(self, texts: Sequence[str]) -> Any:
        return super().embed_documents([f"query: {text}" for text in texts])


def verdicts(engine: Engine) -> list[tuple[str, str]]:
    """The fingerprint column of the status, and the events about it, in order."""
    (status,) = execute(engine, "SELECT fingerprint FROM pgvec.version_status")
    events = execute(
        engine,
        "SELECT verb FROM pgvec.version_event WHERE verb LIKE '%%fingerprint%%' ORDER BY event_id",
    )
    return [status[0], *(row[0] for row in events)]


def test_a_version_keeps_what_its_embedder_made_of_the_canaries(engine: Engine) -> None:
    tiny = TinyEmbedder()
    open_store(engine, tiny)
    kept = execute(engine, "SELECT canary, kind, content, embedding, checked FROM pgvec.canary")
    assert len(kept) == 2 * len(CANARIES)
    for name, kind, content, embedding, checked in kept:
        assert content == CANARIES[name]
        assert np.array_equal(np.array(embedding, dtype=np.float32), tiny.vector(content))
        assert checked == (name in CHECKED[kind])
    assert verdicts(engine) == ["agrees", "store_fingerprint"]


@pytest.mark.parametrize("other", [Impostor("b"), Scaled(), QueriesOff()])
def test_nothing_is_written_or_searched_with_another_model_of_the_same_name(
    engine: Engine, other: TinyEmbedder
) -> None:
    open_store(engine, TinyEmbedder(), ["one", "two"])
    impostor = ChunkStore(engine, "docs", {"v1": other})
    with pytest.raises(FingerprintMismatch) as caught:
        impostor.add(["three"])
    with pytest.raises(FingerprintMismatch):
        impostor.search("one")
    assert contents(engine) == ["one", "two"]
    assert not {"one", "three"} & set(other.seen), "no text of ours was given to it"
    assert (caught.value.sqlstate, caught.value.exit_code) == ("PV070", 6)
    assert caught.value.detail["model_version"] == "v1"
    assert caught.value.detail["worst"] in caught.value.detail["cosines"]
    assert verdicts(engine) == ["differs", "store_fingerprint", "fingerprint_differs"]
    # The right one is used as before, and that is seen too.
    assert ChunkStore(engine, "docs", TinyEmbedder()).search("one", 1)[0].content == "one"
    assert verdicts(engine)[0::3] == ["agrees", "fingerprint_agrees"]


def test_a_worker_and_a_transition_with_another_model_write_nothing(engine: Engine) -> None:
    open_store(engine, TinyEmbedder("one"), ["one", "two"])
    Transition(engine, "docs", "v2", TinyEmbedder()).begin()
    for attempt in (
        Worker(engine, "docs", {"v2": Impostor("b")}).drain,
        Transition(engine, "docs", "v2", Impostor("b")).backfill,
    ):
        with pytest.raises(FingerprintMismatch):
            attempt()
    assert contents(engine, "v2") == []
    (left,) = execute(
        engine, "SELECT count(*), max(attempts), max(last_error) FROM pgvec.work_item"
    )
    assert (left[0], left[2]) == (1, None), "no chunk is to blame"
    assert Worker(engine, "docs", {"v2": TinyEmbedder()}).drain().written == 2


def test_an_embedder_is_looked_at_once_in_a_process_and_only_if_it_is_used(engine: Engine) -> None:
    open_store(engine, TinyEmbedder(), ["one"])
    Transition(engine, "docs", "v2", TinyEmbedder("b")).begin()
    one, two = TinyEmbedder(), TinyEmbedder("b")
    for _ in range(3):
        ChunkStore(engine, "docs", {"v1": one, "v2": two}).search("one")
    assert len(one.canaries_seen) == CHECKED_COUNT
    assert two.canaries_seen == [], "a model that is not needed is not loaded"


def test_a_long_run_looks_again_at_an_interval(engine: Engine) -> None:
    open_store(engine, TinyEmbedder())
    tiny = TinyEmbedder()
    with autocommitted(engine) as raw:
        known = read_collection(raw, "docs")
        bound = BoundEmbedders(known, tiny, engine, raw, recheck=timedelta(0))
    bound.documents("v1", ["one"])
    tiny.seed = "b"  # the provider changes the model behind its name
    with pytest.raises(FingerprintMismatch):
        bound.documents("v1", ["two"])
    tiny.seed = "a"
    bound.documents("v1", ["three"])
    assert len(tiny.canaries_seen) == 3 * CHECKED_COUNT


def test_a_running_worker_looks_before_its_first_text_and_leaves_only_that_version_alone(
    engine: Engine,
) -> None:
    old = TinyEmbedder("one")
    store = open_store(engine, old, ["one"])
    for label in ("v2", "v3"):
        Transition(engine, "docs", label, TinyEmbedder(label)).begin()
    impostor = Impostor("b")
    impostor.name = "v2"
    right = TinyEmbedder("v3")
    worker = Worker(engine, "docs", {"v2": impostor, "v3": right})
    stop, done = threading.Event(), threading.Event()

    def seen(report: WorkerReport) -> None:
        if report.written:
            done.set()

    running = threading.Thread(
        target=worker.run,
        args=(stop,),
        kwargs={"poll": timedelta(milliseconds=5), "progress": seen},
    )
    running.start()
    try:
        assert done.wait(60), "the other version goes on"
    finally:
        stop.set()
        running.join(60)
    assert (contents(engine, "v2"), contents(engine, "v3")) == ([], ["one"])
    assert impostor.seen == []
    shown = execute(
        engine, "SELECT model_version, fingerprint FROM pgvec.version_status ORDER BY 1"
    )
    assert shown == [("v1", "agrees"), ("v2", "differs"), ("v3", "agrees")]
    assert store.search("one", 1)[0].content == "one"


def test_a_worker_looks_though_there_is_nothing_to_embed(engine: Engine) -> None:
    open_store(engine, TinyEmbedder(), ["one"])
    stop = threading.Event()
    worker = Worker(engine, "docs", {"v1": Impostor("b")})
    late = threading.Timer(60, stop.set)
    late.start()
    report = worker.run(stop, progress=lambda report: stop.set() if report.last_error else None)
    late.cancel()
    assert isinstance(report.last_error, FingerprintMismatch)
    assert verdicts(engine) == ["differs", "store_fingerprint", "fingerprint_differs"]


def test_an_embedder_that_cannot_be_remembered_is_looked_at_by_each_who_binds_it(
    engine: Engine,
) -> None:
    class Slotted:
        __slots__ = ("inner",)

        def __init__(self) -> None:
            self.inner = TinyEmbedder()

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

    open_store(engine, TinyEmbedder(), ["one"])
    slotted = Slotted()
    for _ in range(2):
        store = ChunkStore(engine, "docs", {"v1": slotted})  # type: ignore[dict-item]
        store.search("one")
        store.search("one")
    assert len(slotted.inner.canaries_seen) == 2 * CHECKED_COUNT


def test_what_passed_is_forgotten_with_the_object(engine: Engine) -> None:
    open_store(engine, TinyEmbedder(), ["one"])
    for _ in range(20):
        # A new object may get the address of one that passed.
        passed = TinyEmbedder()
        ChunkStore(engine, "docs", {"v1": passed}).search("one")
        del passed
        gc.collect()
        with pytest.raises(FingerprintMismatch):
            ChunkStore(engine, "docs", {"v1": Impostor("b")}).search("one")


def test_a_text_that_the_embedder_refuses_is_left_out(engine: Engine) -> None:
    picky = TinyEmbedder(fail_on="Tomatoes")
    open_store(engine, picky, ["one"])
    kept = {row[0] for row in execute(engine, "SELECT canary FROM pgvec.canary")}
    assert kept == set(CANARIES) - {"long"}
    assert ChunkStore(engine, "docs", TinyEmbedder(fail_on="Tomatoes")).search("one")


def test_an_embedder_that_refuses_everything_registers_nothing(engine: Engine) -> None:
    create_collection(engine)
    with pytest.raises(EmbedderFailed, match="refused every canary"):
        Transition(engine, "docs", "v1", TinyEmbedder(fail_on="")).begin()

    class Away(TinyEmbedder):
        def embed_documents(self, texts: Sequence[str]) -> Any:
            raise EmbedderUnavailable("nobody answers.")

    with pytest.raises(EmbedderUnavailable):
        Transition(engine, "docs", "v1", Away()).begin()
    assert execute(engine, "SELECT FROM pgvec.model_version") == []


def test_a_version_registered_by_sql_is_used_without_canaries_and_says_so(engine: Engine) -> None:
    create_collection(engine)
    execute(engine, "SELECT pgvec.register_version('docs', 'v1', 8)")
    assert verdicts(engine) == ["none"]


def registered_by_sql(engine: Engine, tiny: TinyEmbedder) -> None:
    create_collection(engine)
    identity = str(tiny.identity.to_json()).replace("'", '"')
    execute(engine, "SELECT pgvec.register_version('docs', 'v1', 8, %s)", identity)


def test_the_first_transition_of_an_empty_version_adds_its_fingerprint(engine: Engine) -> None:
    registered_by_sql(engine, TinyEmbedder())
    for _ in range(2):
        Transition(engine, "docs", "v1", TinyEmbedder()).begin()
    assert verdicts(engine) == ["agrees", "store_fingerprint"]
    with pytest.raises(FingerprintMismatch):
        ChunkStore(engine, "docs", {"v1": Impostor("b")}).add(["one"])


def test_a_version_that_holds_chunks_takes_no_fingerprint(engine: Engine) -> None:
    tiny = TinyEmbedder()
    registered_by_sql(engine, tiny)
    ChunkStore(engine, "docs", tiny).add(["one"])
    Transition(engine, "docs", "v1", tiny).begin()
    assert verdicts(engine) == ["none"]
    canaries = make_canaries(tiny, 8)
    with pytest.raises(FingerprintTooLate) as caught, autocommitted(engine) as raw:
        store_fingerprint(raw, "docs", "v1", canaries)
    assert (caught.value.sqlstate, caught.value.detail["reason"]) == ("PV072", "chunks")


def test_another_identity_is_bound_only_if_declared_and_if_its_canaries_agree(
    engine: Engine,
) -> None:
    open_store(engine, TinyEmbedder(), ["one"])
    elsewhere, liar = Elsewhere(), Elsewhere("a")
    liar.seed, liar_identity = "b", liar.identity
    with pytest.raises(EmbedderMismatch):
        ChunkStore(engine, "docs", {"v1": elsewhere})

    class Liar(TinyEmbedder):
        identity = liar_identity

    with pytest.raises(FingerprintMismatch):
        declare_equivalent(engine, "docs", "v1", Liar("b"))
    with pytest.raises(EmbedderMismatch):
        ChunkStore(engine, "docs", {"v1": Liar("b")})

    found = declare_equivalent(engine, "docs", "v1", elsewhere, "the same weights, our own server")
    assert len(found.cosines) == 2 * len(CANARIES)
    declare_equivalent(engine, "docs", "v1", elsewhere)
    assert ChunkStore(engine, "docs", elsewhere).search("one", 1)[0].content == "one"
    assert Transition(engine, "docs", "v1", elsewhere).begin() == 0
    # Declared once is not trusted for ever.
    moved = Elsewhere()
    moved.vector = TinyEmbedder("b").vector  # type: ignore[method-assign]
    with pytest.raises(FingerprintMismatch):
        ChunkStore(engine, "docs", {"v1": moved}).search("one")
    events = execute(
        engine,
        "SELECT detail ->> 'reason' FROM pgvec.version_event WHERE verb = 'declare_equivalent'",
    )
    assert events == [("the same weights, our own server",)]


def test_only_a_version_with_canaries_can_have_equivalents(engine: Engine) -> None:
    create_collection(engine)
    execute(engine, "SELECT pgvec.register_version('docs', 'v1', 8)")
    with pytest.raises(FingerprintMissing) as caught:
        declare_equivalent(engine, "docs", "v1", Elsewhere())
    assert (caught.value.exit_code, caught.value.code) == (3, "PV071")


def test_who_may_only_read_is_refused_all_the_same(engine: Engine) -> None:
    open_store(engine, TinyEmbedder(), ["one"])
    execute(engine, "CREATE ROLE canary_reader")
    try:
        execute(engine, "SELECT pgvec.grant_read('docs', 'canary_reader')")
        url = engine.url.update_query_dict({"options": "-c role=canary_reader"})
        assert ChunkStore(url, "docs", TinyEmbedder()).search("one")
        with pytest.raises(FingerprintMismatch):
            ChunkStore(url, "docs", {"v1": Impostor("b")}).search("one")
        assert verdicts(engine)[0] == "agrees", "it could not say so"
    finally:
        execute(engine, "DROP OWNED BY canary_reader")
        execute(engine, "DROP ROLE canary_reader")
