"""Connections: a shared engine for each URL, or the caller's own transaction."""

from __future__ import annotations

import atexit
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from urllib.parse import unquote

import psycopg
from psycopg import IsolationLevel
from psycopg.pq import Conninfo, TransactionStatus

from pgvec_versions.errors import ConfigError, translated
from pgvec_versions.errors.translation import catalog_not_installed, names_nothing, translation
from pgvec_versions.postgres import sqlfiles, vectors
from pgvec_versions.postgres.direct import DirectEngine, has_ended
from pgvec_versions.postgres.rows import read_value

# SQLAlchemy is imported where it is used: `pgvec add` and `pgvec search` need none of it.
if TYPE_CHECKING:
    from sqlalchemy import Connection as SaConnection
    from sqlalchemy import Engine
    from sqlalchemy.engine import URL
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.orm import Session
    from sqlalchemy.pool import PoolProxiedConnection

#: What you pass to have our statements run in your own transaction.
Caller: TypeAlias = "SaConnection | Session"
PgConnection: TypeAlias = psycopg.Connection[Any]

#: Other databases that a URL may be for: an error names these, and nothing else of the URL.
_OTHERS = ("mysql", "mariadb", "sqlite", "mssql", "oracle", "cockroachdb", "redshift")
#: Settings of psycopg and SQLAlchemy that a URL may have besides the key words of libpq.
_SETTINGS = frozenset(("autocommit", "prepare_threshold", "plugin"))

#: Marks a pooled connection that can send vectors.
_REGISTERED = "pgvec_versions.postgres.vectors"


def engine_for(target: str | URL | Engine) -> Engine:
    """An engine with the psycopg driver for a URL; your own engine is returned as it is.

    Server-side prepared statements are off, so that transaction pooling (PgBouncer) works.
    Effects: all objects with the same URL share one engine and its pool, closed when the process
    ends.
    Raises: ConfigError for a URL of another database, or an engine with another driver.
    """
    if isinstance(target, DirectEngine):
        return cast("Engine", target)
    from sqlalchemy import Engine

    if isinstance(target, Engine):
        if target.driver not in ("psycopg", "psycopg_async"):
            raise ConfigError(
                f"the engine uses {target.driver}, and psycopg is needed.",
                hint='Make it with create_engine("postgresql+psycopg://…").',
            )
        return target
    return _shared(psycopg_url(target))


def psycopg_url(target: str | URL) -> URL:
    """The URL with the driver psycopg. Raises: ConfigError for any but a PostgreSQL URL."""
    if isinstance(target, str) and not target.strip():
        raise ConfigError(
            "the database URL is empty.", hint="Write postgresql://user@host:5432/database."
        )
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(target)
    except (ArgumentError, ValueError):
        raise ConfigError(
            "the database URL cannot be read.", hint="Write postgresql://user@host:5432/database."
        ) from None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        # Name only what we know: anything else may be a password that was pasted here.
        other = url.get_backend_name() if url.get_backend_name() in _OTHERS else "something else"
        raise ConfigError(
            f"the database URL is for {other}, not for PostgreSQL.",
            hint="Write postgresql://user@host:5432/database.",
        )
    if url.host and "@" in url.host:
        # A part of the password was taken for the host, and errors show hosts.
        raise ConfigError(
            "the database URL cannot be read: its password holds an @.", hint="Write it as %40."
        )
    # SQLAlchemy before 2.1 leaves the %20 in a database's name; libpq reads it as a blank.
    leaves_escapes = make_url("postgresql:///%20").database == "%20"
    if leaves_escapes and isinstance(target, str) and url.database:
        url = url.set(database=unquote(url.database))
    return _settings_checked(url).set(drivername="postgresql+psycopg")


def _settings_checked(url: URL) -> URL:
    """The URL with its password moved out of the query, where SQLAlchemy would show it.

    Raises: ConfigError for settings that cannot be read; it shows no value.
    """
    known = {option.keyword.decode() for option in Conninfo.get_defaults()} | _SETTINGS
    odd = sorted(set(url.query) - known)
    if odd:
        raise ConfigError(
            f"the database URL has unknown settings: {', '.join(map(repr, odd))}.",
            hint="See the parameter key words of libpq.",
            detail={"settings": odd},
        )
    for name in ("port", "connect_timeout"):
        value = url.query.get(name, "0")
        values = value.split(",") if isinstance(value, str) else value
        if not all(one.isascii() and one.isdigit() for one in values if one):
            raise ConfigError(f"the database URL cannot be read: {name} is not a number.")
    password = url.query.get("password")
    if isinstance(password, str):
        url = url.difference_update_query(["password"]).set(password=url.password or password)
    return url


_engines: dict[URL, Engine] = {}


def _shared(url: URL) -> Engine:
    from sqlalchemy import create_engine, event

    if url not in _engines:
        _engines[url] = engine = create_engine(url, connect_args={"prepare_threshold": None})
        event.listen(engine, "checkout", _leave_ended_session)
    return _engines[url]


def _leave_ended_session(dbapi: DBAPIConnection, _record: object, _proxy: object) -> None:
    """Drops a pooled connection that the server has ended."""
    if has_ended(cast("PgConnection", dbapi)):
        from sqlalchemy.exc import InvalidatePoolError

        raise InvalidatePoolError("the server has ended the session")


@atexit.register
def close_shared_engines() -> None:
    """Closes every engine that was made from a URL; the next use of a URL makes a new one."""
    while _engines:
        _engines.popitem()[1].dispose()


def _raw(connection: SaConnection) -> PgConnection:
    driver = connection.connection.driver_connection
    if isinstance(driver, psycopg.AsyncConnection):
        from pgvec_versions.postgres.async_bridge import bridged

        raw = bridged(cast("psycopg.AsyncConnection[Any]", driver))
    else:
        raw = cast("PgConnection", driver)
    vectors.register(raw)
    return raw


def client_encoding(raw: PgConnection) -> str:
    """Python's name for the encoding of the texts that a connection sends."""
    # psycopg sends UTF-8 to a database without an encoding.
    return raw.info.encoding.replace("ascii", "utf-8")


@contextmanager
def transaction(engine: Engine, caller: Caller | None = None) -> Generator[PgConnection]:
    """A psycopg connection inside a transaction.

    Effects: without a caller, a transaction of its own in READ COMMITTED, whatever the default of
    the role, the database or the engine is; committed at the end. With one, a savepoint in the
    caller's transaction; the caller commits. Raises this package's errors.
    """
    with translated():
        if caller is None:
            with engine.connect() as own:
                raw = _raw(own)
                try:
                    with _read_committed(raw), _asking_for_the_catalog(raw), raw.transaction():
                        yield raw
                finally:
                    if raw.closed:
                        # The server ended it: there is nothing to roll back, and the pool drops it.
                        own.invalidate()
            return
        from sqlalchemy import Connection as SaConnection

        # Otherwise it is a Session; this test does not load its module.
        connection = caller if isinstance(caller, SaConnection) else caller.connection()
        raw = _raw(connection)
        # SQLAlchemy must know of the transaction, or its commit() does nothing; and psycopg's own
        # transaction() would commit if ours were the first statement on the connection.
        savepoint = raw.transaction() if raw.autocommit else connection.begin_nested()
        with _asking_for_the_catalog(raw), savepoint:
            yield raw


@contextmanager
def _read_committed(raw: PgConnection) -> Generator[None]:
    """Lets the transactions of the block begin in READ COMMITTED. Sends no statement.

    Why: most verbs wait for a lock and must then see what was committed before they had it.
    """
    if raw.info.transaction_status != TransactionStatus.IDLE:
        # A hook of the engine has begun a transaction already.
        yield
        return
    before = raw.isolation_level
    raw.set_isolation_level(IsolationLevel.READ_COMMITTED)
    try:
        yield
    finally:
        if not raw.closed and raw.info.transaction_status == TransactionStatus.IDLE:
            raw.set_isolation_level(before)


@contextmanager
def _asking_for_the_catalog(raw: PgConnection) -> Generator[None]:
    """Raises CatalogNotInstalled when a name was not found because there is no catalog."""
    try:
        yield
    except Exception as exc:
        if _has_no_catalog(raw, exc):
            raise catalog_not_installed(getattr(exc, "sqlstate", None)) from exc
        raise


def _has_no_catalog(raw: PgConnection, exc: BaseException | None) -> bool:
    """Whether the error came because there is no catalog; asks the server if it may be so."""
    if exc is None or not names_nothing(exc) or raw.closed:
        return False
    if raw.info.transaction_status == TransactionStatus.INERROR:
        return False
    try:
        return not read_value(raw, sqlfiles.query("catalog_exists"))
    except psycopg.Error:
        return False


def reading(engine: Engine, caller: Caller | None = None) -> AbstractContextManager[PgConnection]:
    """A psycopg connection to read with: in the caller's transaction, or autocommitted."""
    return autocommitted(engine) if caller is None else transaction(engine, caller)


def autocommitted(engine: Engine) -> AbstractContextManager[PgConnection]:
    """A psycopg connection where each statement is its own transaction: one round trip each."""
    return _autocommitted_async(engine) if engine.dialect.is_async else _Autocommitted(engine)


class _Autocommitted:
    """A connection of a pool in autocommit mode, given back to the pool as it was.

    Why not ``execution_options(isolation_level=…)`` or a generator: each costs more than the
    statement of a quick search.
    """

    __slots__ = ("_borrowed", "_engine", "_raw")

    _borrowed: PoolProxiedConnection
    _raw: PgConnection

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __enter__(self) -> PgConnection:
        with translated():
            self._borrowed = borrowed = self._engine.raw_connection()
            try:
                self._raw = raw = cast("PgConnection", borrowed.driver_connection)
                if _REGISTERED not in borrowed.info:
                    vectors.register(raw)
                    borrowed.info[_REGISTERED] = True
                raw.autocommit = True
            except BaseException:
                borrowed.close()
                raise
        return raw

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        raw = self._raw
        no_catalog = False
        try:
            if raw.closed:
                self._borrowed.invalidate()
            else:
                if raw.pgconn.transaction_status != TransactionStatus.IDLE:
                    raw.rollback()
                no_catalog = _has_no_catalog(raw, exc)
                raw.autocommit = False
        except psycopg.Error as broken:
            # The server ended it just now; an error that came before goes first.
            self._borrowed.invalidate()
            if exc is None:
                raise translation(broken) or broken from None
        finally:
            self._borrowed.close()
        mine = catalog_not_installed() if no_catalog else translation(exc)
        if mine is not None:
            raise mine from exc


def behind_pooler(raw: PgConnection) -> bool:
    """Whether a pooler may give each transaction another session of the server.

    A pooler like PgBouncer tells its client a process id of its own.
    """
    return raw.info.backend_pid != read_value(raw, sqlfiles.query("backend_pid"))


@contextmanager
def with_settings(raw: PgConnection, settings: Mapping[str, str]) -> Generator[None]:
    """Settings of an autocommitted session, for statements that refuse a transaction block.

    Effects: afterwards the settings are what they were. Leaves out those that the server does not
    know. Does nothing behind a pooler, where the session can be anybody's.
    """
    if behind_pooler(raw):
        yield
        return
    before: dict[str, str] = {}
    try:
        for name, value in settings.items():
            old = read_value(raw, sqlfiles.query("setting"), {"name": name})
            if old is not None:
                before[name] = old
                raw.execute(sqlfiles.query("put_setting"), {"name": name, "value": value})
        yield
    finally:
        if not raw.closed:
            for name, old in before.items():
                raw.execute(sqlfiles.query("put_setting"), {"name": name, "value": old})


@contextmanager
def _autocommitted_async(engine: Engine) -> Generator[PgConnection]:
    options = engine.execution_options(isolation_level="AUTOCOMMIT")
    with translated(), options.connect() as connection:
        raw = _raw(connection)
        with _asking_for_the_catalog(raw):
            yield raw
