"""What all rows use to measure: one server, vectors and texts from a seed, repetition."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from pydoc_data.topics import topics
from types import TracebackType
from typing import Any, Self
from zlib import crc32

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg import sql

from bench.figures import Spread
from pgvec_versions.embedders import EmbedderIdentity
from pgvec_versions.postgres.database import close_shared_engines
from pgvec_versions.postgres.embedded import EmbeddedServer, embedded_server
from pgvec_versions.postgres.install import install

DIMENSIONS = 384
#: Named in the output. Durable: no fsync or synchronous_commit is turned off.
SETTINGS = {
    "shared_buffers": "1GB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
}
_SHOWN = (
    *SETTINGS,
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_level",
    "work_mem",
    "max_parallel_maintenance_workers",
    "jit",
)
_PACKAGES = ("pgvec-versions", "psycopg", "SQLAlchemy", "numpy", "sentence-transformers", "torch")


def timed(call: Callable[[], object]) -> float:
    """How long a call takes. Units: seconds."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


class Ready:
    """An embedder whose vectors are ready-made: the number a text begins with is its row.

    ``pause`` is what a call takes, without the processor, for each text. Units: seconds.
    """

    def __init__(self, name: str, vectors: npt.NDArray[np.float32], pause: float = 0.0) -> None:
        self.identity = EmbedderIdentity("ready", name, "1", {})
        self.dimensions = int(vectors.shape[1])
        self._vectors = vectors
        self._pause = pause

    def embed_documents(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        if self._pause:
            time.sleep(self._pause * len(texts))
        return self._vectors[[self._place(text) for text in texts]]

    def _place(self, text: str) -> int:
        # Canaries, and whatever else is not of the lab, have a vector that stays the same, too.
        number = text[:9]
        return int(number) if number.isdecimal() else crc32(text.encode()) % len(self._vectors)

    embed_queries = embed_documents


class Lab:
    """One embedded PostgreSQL 18 for the whole run; a context manager.

    ``rows`` is the size of the large tables, ``quick`` asks rows for fewer repetitions. ``work``
    keeps vectors and the peers' environments from one run to the next.
    """

    def __init__(self, quick: bool, rows: int, work: Path) -> None:
        self.quick = quick
        self.rows = rows
        self.work = work
        self._server: EmbeddedServer | None = None
        self._made: list[str] = []
        self._folder = Path()

    def __enter__(self) -> Self:
        self.work.mkdir(parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(prefix="pgvec-bench-"))
        # The server's own user has to enter it.
        self._folder.chmod(0o755)
        data = self._folder / "data"
        with (
            embedded_server(data) as server,
            psycopg.connect(server.url("postgres"), autocommit=True) as admin,
        ):
            for name, value in SETTINGS.items():
                statement = sql.SQL("ALTER SYSTEM SET {} = {}")
                admin.execute(statement.format(sql.Identifier(name), sql.Literal(value)))
        # shared_buffers takes a restart.
        self._server = embedded_server(data)
        with psycopg.connect(self.server.url("template_pgvec"), autocommit=True) as admin:
            install(admin)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        close_shared_engines()
        self.server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def server(self) -> EmbeddedServer:
        assert self._server is not None, "use the lab as a context manager"
        return self._server

    @property
    def repeats(self) -> int:
        """How often a measurement of seconds is repeated."""
        return 1 if self.quick else 3

    def url(self) -> str:
        """The URL of a new database with the catalog; `clean` drops it."""
        name = f"lab_{uuid.uuid4().hex[:12]}"
        self.server.url("postgres")
        self._admin("CREATE DATABASE {} TEMPLATE template_pgvec", name)
        self._made.append(name)
        return self.server.url(name)

    def clean(self) -> None:
        """Drops the databases that were made, and checkpoints: the next row begins at rest."""
        close_shared_engines()
        while self._made:
            self._admin("DROP DATABASE IF EXISTS {} WITH (FORCE)", self._made.pop())
        self._admin("CHECKPOINT")

    def _admin(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as admin:
            composed = sql.SQL(statement).format(*map(sql.Identifier, names))  # pyright: ignore
            admin.execute(composed)

    def checkpoint(self) -> None:
        """Takes what earlier work left to write out of the next measurement."""
        self._admin("CHECKPOINT")

    def vectors(self, count: int, dimensions: int = DIMENSIONS, seed: int = 1) -> Any:
        """Unit vectors in clusters, as texts give them; kept in the work folder.

        Vectors of two seeds have the same clusters, so those of another seed serve as queries.

        Shape: (count, dimensions), float32.
        """
        kept = self.work / f"vectors-{count}-{dimensions}-{seed}.npy"
        if not kept.exists():
            # A little over one cluster for 100 vectors; few directions carry most of the spread.
            clusters = max(16, min(count, 100_000) // 100)
            weights = (1.0 / np.sqrt(np.arange(1, dimensions + 1))).astype(np.float32)
            centres = np.random.default_rng(0).standard_normal((4096, dimensions), np.float32)
            random = np.random.default_rng(1000 + seed)
            made = random.standard_normal((count, dimensions), np.float32)
            made *= 0.7
            made += centres[random.integers(0, min(clusters, 4096), count)]
            made *= weights
            made /= np.linalg.norm(made, axis=1, keepdims=True)
            np.save(kept, made)
        return np.load(kept, mmap_mode=None)

    def texts(self, count: int) -> list[str]:
        """Different texts of real sentences, each beginning with its number of nine digits.

        Their lengths spread as those of paragraphs do, around 500 characters.
        """
        words = " ".join(" ".join(topics.values()).split())
        random = np.random.default_rng(2)
        lengths = np.clip(random.lognormal(6.1, 0.5, count), 60, 2000).astype(int)
        starts = random.integers(0, len(words) - 2001, count)
        return [
            f"{i:09d} {words[start : start + length]}"
            for i, (start, length) in enumerate(zip(starts.tolist(), lengths.tolist(), strict=True))
        ]

    def repeat(self, call: Callable[[], float], count: int | None = None) -> Spread:
        """Calls again and again what returns a number; the median stands."""
        return Spread.of([call() for _ in range(count or self.repeats)])

    def alternate(
        self, *calls: Callable[[], float], count: int | None = None
    ) -> tuple[Spread, ...]:
        """A, B, A, B, …: what disturbs the machine for a while disturbs each of them."""
        taken: list[list[float]] = [[] for _ in calls]
        for _ in range(count or self.repeats):
            for values, call in zip(taken, calls, strict=True):
                values.append(call())
        return tuple(map(Spread.of, taken))

    def facts(self) -> dict[str, Any]:
        """The machine, the versions, the server's settings."""
        with psycopg.connect(self.server.url("template_pgvec")) as connection:
            shown = {
                name: (connection.execute("SELECT current_setting(%s)", (name,)).fetchone() or "?")[
                    0
                ]
                for name in ("server_version", *_SHOWN)
            }
            vector = connection.execute(
                "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
            ).fetchone()
        versions = {"PostgreSQL": shown.pop("server_version"), "pgvector": (vector or "?")[0]}
        for package in _PACKAGES:
            with suppress(PackageNotFoundError):
                versions[package] = version(package)
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
        return {
            "cores": os.cpu_count(),
            "memory_gb": round(memory, 1),
            "processor": _processor(),
            "load": [round(load, 1) for load in os.getloadavg()],
            "versions": versions | {"Python": platform.python_version()},
            "settings": shown,
            "rows": self.rows,
            "quick": self.quick,
        }


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
